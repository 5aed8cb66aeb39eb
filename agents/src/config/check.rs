//! A table against what its keys may hold, in words for people.

use toml::{Table, Value};

use super::catalogue::{by_foreign_name, catalogue};
use super::nearest::did_you_mean;
use super::shape::{Key, Shape};
use crate::{Error, Result};

/// Whole numbers up to here are exact as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Refuses a table in normal form that does not fit these keys, naming the one that is wrong. `1e6` becomes a whole
/// number if one is needed.
///
/// # Errors
/// [`Error::Config`] naming the key, with what is allowed.
pub fn check(keys: &[Key], table: &mut Table) -> Result<()> {
    section("", keys, table)
}

fn section(path: &str, keys: &[Key], table: &mut Table) -> Result<()> {
    for (name, value) in table.iter_mut() {
        match keys.iter().find(|key| key.name == *name) {
            Some(key) => self::value(&joined(path, name), &key.shape, value)?,
            None => return Err(Error::config(joined(path, name), unknown(&joined(path, name), name, keys))),
        }
    }
    match keys.iter().find(|key| key.required && !table.contains_key(&key.name)) {
        Some(key) => Err(Error::config(joined(path, &key.name), format!("is missing: {}", key.shape.words()))),
        None => Ok(()),
    }
}

fn unknown(path: &str, name: &str, keys: &[Key]) -> String {
    if let Some(variant) = catalogue().into_iter().find(|entry| entry.path == path).and_then(|entry| entry.variant) {
        return format!("is a key of `{variant}`; this section has another `name`");
    }
    let foreign = by_foreign_name(name);
    if let Some((library, path)) = foreign.first() {
        return format!("there is no such key: what {library} calls `{name}` is `{path}`");
    }
    let near = did_you_mean(name, keys.iter().map(|key| key.name.as_str()));
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    match names.as_slice() {
        [] => "there is no such key: this section has none besides its `name`".to_string(),
        _ => format!("there is no such key; {near}there are: {}", names.join(", ")),
    }
}

fn value(path: &str, shape: &Shape, value: &mut Value) -> Result<()> {
    let wrong = |value: &Value| {
        let given = match value {
            Value::Table(_) => "a table".to_string(),
            value => value.to_string(),
        };
        // A number of a hundred digits says no more.
        let given = if given.len() > 60 { format!("{}…", given.chars().take(30).collect::<String>()) } else { given };
        let wanted = match (shape, value) {
            (Shape::Whole { least, most }, Value::Integer(_) | Value::Float(_) | Value::String(_))
                if is_whole(value) =>
            {
                format!("a whole number from {least} to {most}")
            }
            _ => shape.words(),
        };
        Err(Error::config(path, format!("must be {wanted}, not {given}")))
    };
    match (shape, &mut *value) {
        (Shape::Any, _)
        | (Shape::Flag, Value::Boolean(_))
        | (Shape::Number, Value::Integer(_) | Value::Float(_))
        | (Shape::Text, Value::String(_)) => Ok(()),
        (Shape::Whole { least, most }, Value::Integer(number)) if (*least..=*most).contains(number) => Ok(()),
        (Shape::Whole { least, most }, Value::Float(number))
            if number.fract() == 0.0 && number.abs() <= EXACT && (*least..=*most).contains(&(*number as i64)) =>
        {
            *value = Value::Integer(*number as i64);
            Ok(())
        }
        (Shape::Word(words), Value::String(given)) => {
            if words.iter().any(|word| word.name == *given) {
                return Ok(());
            }
            let near = did_you_mean(given, words.iter().map(|word| word.name.as_str()));
            Err(Error::config(
                path,
                format!("must be {}, not \"{given}\"; {near}", shape.words()).trim_end_matches([';', ' ']),
            ))
        }
        (Shape::List(shape), Value::Array(list)) => {
            list.iter_mut().try_for_each(|inner| self::value(path, shape, inner))
        }
        (Shape::Section(keys), Value::Table(table)) => section(path, keys, table),
        (Shape::Variants(variants), Value::Table(table)) => {
            let tag = joined(path, "name");
            let Some(name) = table.get("name") else {
                return Err(Error::config(tag, format!("is missing: {}", shape.words())));
            };
            let name = match name {
                Value::String(name) => name.clone(),
                other => return Err(Error::config(tag, format!("must be {}, not {other}", shape.words()))),
            };
            let Some(variant) = variants.iter().find(|variant| variant.name == name) else {
                let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
                let near = did_you_mean(&name, names.iter().copied());
                return Err(Error::config(tag, format!("there is no `{name}`; {near}there are: {}", names.join(", "))));
            };
            let tag = table.remove("name");
            let checked = section(path, &variant.keys, table);
            table.extend(tag.map(|tag| ("name".to_string(), tag)));
            checked
        }
        (Shape::Either(shapes), given) => {
            for shape in shapes {
                let mut tried = given.clone();
                if self::value(path, shape, &mut tried).is_ok() {
                    *given = tried;
                    return Ok(());
                }
            }
            // Of a table the error is in its keys.
            match shapes.iter().find(|shape| given.is_table() && matches!(shape, Shape::Section(_))) {
                Some(shape) => self::value(path, shape, given),
                None => wrong(given),
            }
        }
        (_, other) => wrong(other),
    }
}

/// Whether a value is a whole number, if perhaps too large a one: TOML has none beyond 2⁶³, so that such a word is text.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Integer(_) => true,
        Value::Float(number) => number.fract() == 0.0,
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        }
        _ => false,
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}
