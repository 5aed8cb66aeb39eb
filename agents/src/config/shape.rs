//! What every key holds: read from the types of the sections, whose doc comments, defaults and names are the one source
//! of all that is said about a key.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::normal::DEPENDENT;
use super::{AgentConfig, SupervisedConfig};

/// In what order sections are told, from what is asked to how it is done; within one, keys are in the alphabet's.
const ORDER: [&str; 12] = [
    "seed",
    "env",
    "task",
    "policy",
    "algorithm",
    "training",
    "rollout",
    "optimizer",
    "normalization",
    "evaluation",
    "checkpoint",
    "log",
];

/// What a key may hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Any value.
    Any,
    /// True or false.
    Flag,
    /// A whole number from `least` to `most`.
    Whole {
        /// The smallest one.
        least: i64,
        /// The largest one.
        most: i64,
    },
    /// A number.
    Number,
    /// A text.
    Text,
    /// One of some words.
    Word(Vec<Word>),
    /// A list.
    List(Box<Shape>),
    /// A table of keys.
    Section(Vec<Key>),
    /// A table of keys that depend on its `name`.
    Variants(Vec<Variant>),
    /// One of these.
    Either(Vec<Shape>),
}

/// A word that a key may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word.
    pub name: String,
    /// What it means.
    pub description: String,
}

/// One of the things that a section can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its `name`.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its other keys.
    pub keys: Vec<Key>,
}

/// A key of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its name in its section.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its default in JSON; none if it has none, or one that depends on other keys.
    pub default: Option<Value>,
    /// Its default in words, if it depends on other keys.
    pub depends: Option<&'static str>,
    /// Whether it may be left unset.
    pub optional: bool,
    /// Whether a configuration has to have it.
    pub required: bool,
    /// Its name in Stable-Baselines3.
    pub sb3: Option<String>,
    /// Its name in CleanRL.
    pub cleanrl: Option<String>,
    /// What it holds.
    pub shape: Shape,
}

/// The keys of an agent's configuration.
pub fn agent() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| in_order(keys("", &schema_of::<AgentConfig>())))
}

/// The keys of a supervised task's configuration.
pub fn supervised() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| in_order(keys("", &schema_of::<SupervisedConfig>())))
}

fn in_order(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_by_key(|key| ORDER.iter().position(|name| *name == key.name).unwrap_or(ORDER.len()));
    keys
}

/// The JSON Schema of a type, without references.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn keys(prefix: &str, schema: &Value) -> Vec<Key> {
    let required = |name: &str| list(schema, "required").iter().any(|known| known == name);
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let key = |(name, schema): (&String, &Value)| {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let depends = DEPENDENT.iter().find(|dependent| dependent.key == path).map(|dependent| dependent.words);
        let text = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_string);
        let shape = shape(&path, schema);
        // A key that is written only if it is not empty, 0 or false has a default that is not written either.
        let empty = match &shape {
            Shape::Text if !required(name) => Some(Value::from("")),
            Shape::List(_) if !required(name) => Some(Value::Array(Vec::new())),
            Shape::Whole { .. } if !required(name) => Some(Value::from(0)),
            Shape::Flag if !required(name) => Some(Value::from(false)),
            _ => None,
        };
        let default = schema.get("default").cloned().or(empty.filter(|_| !is_optional(schema)));
        Key {
            name: name.clone(),
            description: description(schema),
            default: default.filter(|value| !value.is_null() && depends.is_none()),
            depends,
            optional: is_optional(schema),
            required: required(name),
            sb3: text("x-sb3"),
            cleanrl: text("x-cleanrl"),
            shape,
        }
    };
    properties.iter().map(key).collect()
}

fn shape(path: &str, schema: &Value) -> Shape {
    let alternatives: Vec<&Value> = ["oneOf", "anyOf"].iter().flat_map(|key| list(schema, key)).collect();
    let alternatives: Vec<&Value> = alternatives.into_iter().filter(|schema| *schema != &null()).collect();
    let word = |schema: &&Value| {
        let name = schema.get("const")?.as_str()?.to_string();
        Some(Word { name, description: description(schema) })
    };
    let variant = |schema: &&Value| {
        let name = schema.pointer("/properties/name/const")?.as_str()?.to_string();
        let keys = keys(path, schema).into_iter().filter(|key| key.name != "name").collect();
        Some(Variant { name, description: description(schema), keys })
    };
    match alternatives.as_slice() {
        [] => plain(path, schema),
        [one] => shape(path, one),
        several => {
            let words: Option<Vec<Word>> = several.iter().map(word).collect();
            let variants: Option<Vec<Variant>> = several.iter().map(variant).collect();
            match (words, variants) {
                (Some(words), _) => Shape::Word(words),
                (_, Some(variants)) => Shape::Variants(variants),
                _ => Shape::Either(several.iter().map(|schema| shape(path, schema)).collect()),
            }
        }
    }
}

fn plain(path: &str, schema: &Value) -> Shape {
    if let Some(name) = schema.get("const").and_then(Value::as_str) {
        return Shape::Word(vec![Word { name: name.to_string(), description: description(schema) }]);
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or(""),
        _ => "",
    };
    match kind {
        "boolean" => Shape::Flag,
        "integer" => whole(schema),
        "number" => Shape::Number,
        "string" => Shape::Text,
        "array" => Shape::List(Box::new(schema.get("items").map_or(Shape::Any, |items| shape(path, items)))),
        "object" if schema.get("properties").is_some() || schema.get("additionalProperties") == Some(&false.into()) => {
            Shape::Section(keys(path, schema))
        }
        _ => Shape::Any,
    }
}

fn whole(schema: &Value) -> Shape {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let narrow = schema.get("format").and_then(Value::as_str) == Some("uint32");
    let most = bound("maximum").or(narrow.then_some(u32::MAX.into()));
    Shape::Whole { least: bound("minimum").unwrap_or(i64::MIN), most: most.unwrap_or(i64::MAX) }
}

fn is_optional(schema: &Value) -> bool {
    let kinds = list(schema, "type").iter().any(|kind| kind == "null");
    kinds || list(schema, "anyOf").contains(&null())
}

fn null() -> Value {
    serde_json::json!({ "type": "null" })
}

fn list<'s>(schema: &'s Value, key: &str) -> &'s [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The doc comment: its lines joined, its links to code as plain names.
pub(super) fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("[`crate::", "`").replace("[`", "`").replace("`]", "`")
}

impl Shape {
    /// What is allowed, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Flag => "true or false".into(),
            Self::Whole { least: i64::MIN, .. } => "a whole number".into(),
            Self::Whole { least, most: i64::MAX } => format!("a whole number, at least {least}"),
            Self::Whole { least, most } => format!("a whole number from {least} to {most}"),
            Self::Number => "a number".into(),
            Self::Text => "a text in quotes".into(),
            Self::Word(words) => one_of(words.iter().map(|word| format!("\"{}\"", word.name))),
            Self::List(shape) => format!("a list, each element {}", shape.words()),
            Self::Section(keys) => {
                let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
                format!("a table of {}", names.join(", "))
            }
            Self::Variants(variants) => one_of(variants.iter().map(|variant| format!("\"{}\"", variant.name))),
            Self::Either(shapes) => shapes.iter().map(Self::words).collect::<Vec<_>>().join(", or "),
        }
    }
}

fn one_of(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [one] => one.clone(),
        _ => format!("one of {}", names.join(", ")),
    }
}
