//! The JSON Schema of configurations, from which editors complete and check files.

use serde_json::{Value, json};
use stpn_core::cells::CellName;

use super::normal::{DEPENDENT, VARIANTS};
use super::shape::{description, schema_of};
use super::{AgentConfig, SupervisedConfig};

/// The schema of a configuration file. `known` says which environments it lists.
pub fn json_schema(known: impl Fn(&str) -> bool) -> Value {
    let mut agent = schema_of::<AgentConfig>();
    let mut supervised = schema_of::<SupervisedConfig>();
    if let Some(Value::Array(environments)) = agent.pointer_mut("/properties/env/oneOf") {
        environments.retain(|env| env.pointer("/properties/name/const").and_then(Value::as_str).is_none_or(&known));
    }
    DEPENDENT.iter().for_each(|dependent| say_in_words(&mut agent, dependent.key, dependent.words));
    for schema in [&mut agent, &mut supervised] {
        VARIANTS.iter().for_each(|key| allow_bare_names(schema, key));
        clean(schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stpn",
        "description": "A configuration of stpn: an agent in an environment, or a network on a supervised task.",
        "anyOf": [agent, supervised],
    })
}

/// What a dotted key may be: one schema, or one in each variant of its section that has it.
fn at<'s>(schema: &'s mut Value, key: &str) -> Vec<&'s mut Value> {
    let Some(schema) = schema.as_object_mut() else { return Vec::new() };
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let mut found = Vec::new();
    for (name, value) in schema {
        match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => match (properties.get_mut(first), rest) {
                (Some(inner), Some(rest)) => found.extend(at(inner, rest)),
                (Some(inner), None) => found.push(inner),
                (None, _) => {}
            },
            ("oneOf" | "anyOf", Value::Array(variants)) => found.extend(variants.iter_mut().flat_map(|it| at(it, key))),
            _ => {}
        }
    }
    found
}

/// A bare name stands for a table with that name and defaults.
fn allow_bare_names(schema: &mut Value, key: &str) {
    for section in at(schema, key).into_iter().filter_map(Value::as_object_mut) {
        let Some(Value::Array(variants)) = section.remove("oneOf") else { continue };
        let name = |variant: &Value| variant.pointer("/properties/name/const").cloned();
        let names: Vec<Value> = match key {
            // Cells have more names than sections: `stpnf` is `stpn` with other options.
            "policy.cell" => CellName::all().iter().map(|cell| cell.to_string().into()).collect(),
            _ => variants.iter().filter_map(name).collect(),
        };
        let bare = json!({ "type": "string", "enum": names });
        section.insert("anyOf".into(), std::iter::once(bare).chain(variants).collect());
    }
}

/// A default that depends on other keys is no `default` of JSON Schema.
fn say_in_words(schema: &mut Value, key: &str, words: &str) {
    for key in at(schema, key).into_iter().filter_map(Value::as_object_mut) {
        key.remove("default");
        let said = key.get("description").and_then(Value::as_str).unwrap_or_default();
        let said = format!("{said} Default: {words}.");
        key.insert("description".into(), said.into());
    }
}

/// Descriptions for readers of files, who know no names of Rust.
fn clean(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            // A property may be called `title` or `description`: then it is a table.
            object.retain(|name, value| name != "title" || !value.is_string());
            let said = object.get("description").is_some_and(Value::is_string);
            object.values_mut().for_each(clean);
            if said {
                let said = description(&Value::Object(object.clone()));
                object.insert("description".into(), said.into());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(clean),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_that_depends_on_other_keys_was_a_number_in_the_schema() {
        let mut schema = json_schema(|_| true);
        for dependent in &DEPENDENT {
            let found = at(&mut schema, dependent.key);
            assert!(!found.is_empty(), "{}", dependent.key);
            for key in found {
                assert_eq!(key.get("default"), None, "{}", dependent.key);
                assert!(key.to_string().contains(dependent.words), "{key}");
            }
        }
    }

    #[test]
    fn an_editor_did_not_offer_every_cell() {
        let mut schema = json_schema(|_| true);
        for cell in at(&mut schema, "policy.cell") {
            let names = cell.pointer("/anyOf/0/enum").and_then(Value::as_array).unwrap();
            for name in CellName::ALL {
                assert!(names.contains(&name.to_string().into()), "{name}");
            }
        }
        assert!(!schema.to_string().contains("[`"));
    }
}
