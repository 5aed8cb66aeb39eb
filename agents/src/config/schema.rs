//! The JSON Schema of configurations, from which editors complete and check files.

use serde_json::{Map, Value, json};

use super::normal::{DEPENDENT, VARIANTS};
use super::shape::schema_of;
use super::{AgentConfig, SupervisedConfig};

/// The schema of a configuration file. `known` says which environments it lists.
pub fn json_schema(known: impl Fn(&str) -> bool) -> Value {
    let mut agent = schema_of::<AgentConfig>();
    let mut supervised = schema_of::<SupervisedConfig>();
    if let Some(Value::Array(environments)) = agent.pointer_mut("/properties/env/oneOf") {
        environments.retain(|env| env.pointer("/properties/name/const").and_then(Value::as_str).is_none_or(&known));
    }
    for schema in [&mut agent, &mut supervised] {
        VARIANTS.iter().for_each(|key| allow_bare_names(schema, key));
        DEPENDENT.iter().for_each(|dependent| say_in_words(schema, dependent.key, dependent.words));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stpn",
        "description": "A configuration of stpn: an agent in an environment, or a network on a supervised task.",
        "anyOf": [agent, supervised],
    })
}

fn at<'s>(schema: &'s mut Value, key: &str) -> Option<&'s mut Value> {
    schema.pointer_mut(&format!("/properties/{}", key.replace('.', "/properties/")))
}

/// A bare name stands for a table with that name and defaults.
fn allow_bare_names(schema: &mut Value, key: &str) {
    let Some(section) = at(schema, key).and_then(Value::as_object_mut) else { return };
    let Some(Value::Array(variants)) = section.remove("oneOf") else { return };
    let name = |variant: &Value| variant.pointer("/properties/name/const").cloned();
    let names: Vec<Value> = variants.iter().filter_map(name).collect();
    let bare = json!({ "type": "string", "enum": names });
    section.insert("anyOf".into(), std::iter::once(bare).chain(variants).collect());
}

/// A default that depends on other keys is no `default` of JSON Schema.
fn say_in_words(schema: &mut Value, key: &str, words: &str) {
    let Some(key) = at(schema, key).and_then(Value::as_object_mut) else { return };
    key.remove("default");
    let said = key.get("description").and_then(Value::as_str).unwrap_or_default();
    let said = format!("{said} Default: {words}.");
    *key = Map::from_iter(std::mem::take(key).into_iter().chain([("description".to_string(), said.into())]));
}
