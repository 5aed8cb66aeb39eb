//! A number that may be switched off by the word `"none"`, as TOML has no other for it.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The word.
const NONE: &str = "none";

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Limit {
    Number(f64),
    Word(String),
}

pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map_or_else(|| Limit::Word(NONE.into()), Limit::Number).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Limit::deserialize(deserializer)? {
        Limit::Number(number) => Ok(Some(number)),
        Limit::Word(word) if word == NONE => Ok(None),
        Limit::Word(word) => Err(serde::de::Error::custom(format!("must be a number or \"{NONE}\", not \"{word}\""))),
    }
}

pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "number", "format": "double" },
            { "type": "string", "const": NONE, "description": "No limit." },
        ]
    })
}
