//! Overriding one key of a configuration.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use stpn_agents::config::normal::{VARIANTS, normal};
use stpn_agents::config::{catalogue, shape::Shape};
use stpn_agents::keys;
use toml::{Table, Value};

use crate::{Error, Result, paths};

/// A key of a configuration with another value.
///
/// As text it is `section.key=value`. The value is read as TOML, or as a string if it is not TOML. `none` unsets the
/// key, unless it is one of the key's own values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Override {
    key: String,
    /// None for a bare `none`.
    value: Option<Value>,
}

impl Override {
    /// The key, dotted, gets this value.
    ///
    /// # Errors
    /// [`Error::Assignment`] if a part of the key is empty.
    pub fn new(key: &str, value: impl Into<Value>) -> Result<Self> {
        Self { key: key.trim().into(), value: Some(value.into()) }.checked()
    }

    /// The key, dotted, is not set, or none.
    ///
    /// # Errors
    /// [`Error::Assignment`] if a part of the key is empty.
    pub fn none(key: &str) -> Result<Self> {
        Self { key: key.trim().into(), value: None }.checked()
    }

    /// The key, dotted.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn checked(mut self) -> Result<Self> {
        if self.key.split('.').any(str::is_empty) {
            return Err(self.refused("has an empty key"));
        }
        if self.key == "policy.cell.kind" {
            // As older versions said it.
            self.key = "policy.cell.name".into();
        }
        Ok(self)
    }

    /// One for each key of a section: what others of its keys are stays. A section that is given with its `name` is
    /// another one, as a whole.
    fn parts(&self) -> Vec<Self> {
        let path = &self.key;
        match &self.value {
            Some(Value::Table(table)) if is_section(path) && !table.contains_key("name") => {
                let part = |(key, value): (&String, &Value)| Self {
                    key: format!("{path}.{key}"),
                    value: (*value != "none".into()).then(|| value.clone()),
                };
                table.iter().map(part).flat_map(|part| part.parts()).collect()
            }
            _ => vec![self.clone()],
        }
    }

    fn refused(&self, problem: &str) -> Error {
        Error::Assignment { assignment: self.to_string(), problem: problem.into() }
    }
}

impl FromStr for Override {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((key, value)) = text.split_once('=') else {
            let problem = "needs the form section.key=value".into();
            return Err(Error::Assignment { assignment: text.into(), problem });
        };
        let value = value.trim();
        let value = (value != "none").then(|| parse(value));
        Self { key: key.trim().into(), value }.checked()
    }
}

impl TryFrom<String> for Override {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Override> for String {
    fn from(assignment: Override) -> Self {
        assignment.to_string()
    }
}

impl fmt::Display for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value } = self;
        match value {
            None => write!(formatter, "{key}=none"),
            // Without quotation marks, as people write it, if it is read as the same then.
            Some(Value::String(text)) if text != "none" && text.trim() == text && parse(text).is_str() => {
                write!(formatter, "{key}={text}")
            }
            Some(value) => write!(formatter, "{key}={value}"),
        }
    }
}

/// Applies one override. Returns what is to be said of it, once the result has proved possible.
///
/// # Errors
/// [`Error::Assignment`].
pub fn apply(table: &mut Table, assignment: &Override) -> Result<Option<String>> {
    let path = &assignment.key;
    normal(table);
    let value = match &assignment.value {
        Some(value) => value.clone(),
        None if may_be_none(path) => Value::String("none".into()),
        None => {
            remove(table, path);
            return Ok(None);
        }
    };
    let mut remark = None;
    let is_bare = VARIANTS.contains(&path.as_str()) && value.is_str();
    if let Some(section) = is_bare.then_some(path.as_str()).or(tagged(path)) {
        if keys::get(table, &format!("{section}.name")) == Some(&value) {
            return Ok(None);
        }
        remark = drop_keys(table, section, &value);
    }
    if path == "evaluation.every" && value == Value::Integer(0) {
        // If evaluations are switched off, how to make them goes too: it would do nothing.
        table.remove("evaluation");
    }
    if let Some((section, _)) = path.rsplit_once('.')
        && VARIANTS.contains(&section)
        && keys::get(table, section).is_none()
        && let Some(default) = default_name(section)
    {
        // What a file leaves out has a name all the same.
        keys::set(table, &format!("{section}.name"), Value::String(default));
    }
    let mut place = String::new();
    for key in path.split('.').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
        place = if place.is_empty() { key.to_string() } else { format!("{place}.{key}") };
        if keys::get(table, &place).is_some_and(|value| !value.is_table()) {
            return Err(assignment.refused(&format!("`{key}` is a value and has no keys")));
        }
    }
    keys::set(table, path, value);
    normal(table);
    Ok(remark)
}

/// The `name` that a section has if a configuration leaves it out.
fn default_name(section: &str) -> Option<String> {
    let entry = catalogue::catalogue().into_iter().find(|entry| entry.path == section)?;
    Some(entry.key.default.as_ref()?.get("name")?.as_str()?.to_string())
}

/// Applies all overrides, of which paths are read from the current folder. What chooses the keys of a section goes
/// first. Returns what is to be said of it, once the result has proved possible.
///
/// # Errors
/// [`Error::Assignment`].
#[must_use = "what was dropped is to be said"]
pub fn apply_all(table: &mut Table, assignments: &[Override]) -> Result<Vec<String>> {
    let all: Vec<Override> = assignments.iter().flat_map(Override::parts).collect();
    let mut ordered: Vec<&Override> = all.iter().collect();
    ordered.sort_by_key(|assignment| {
        let path = assignment.key.as_str();
        !(VARIANTS.contains(&path) || tagged(path).is_some())
    });
    let mut remarks = Vec::new();
    for assignment in ordered {
        remarks.extend(apply(table, assignment)?);
        paths::make_absolute(table, Path::new(""))?;
    }
    Ok(remarks)
}

/// Says what [`apply_all`] returned.
pub fn warn(remarks: &[String]) {
    remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
}

/// Whether one of the assignments gives `key` a value, by itself or with its section.
pub fn sets(assignments: &[Override], key: &str) -> bool {
    assignments.iter().any(|assignment| {
        let mut table = Table::new();
        apply(&mut table, assignment).is_ok() && keys::get(&table, key).is_some()
    })
}

/// Whether a path is that of a section with keys of its own.
fn is_section(path: &str) -> bool {
    let section = format!("{path}.");
    !path.contains('.') && catalogue::catalogue().iter().any(|entry| entry.path.starts_with(&section))
        || VARIANTS.contains(&path)
}

/// The section that a key chooses, if it does.
fn tagged(path: &str) -> Option<&str> {
    path.strip_suffix(".name").filter(|section| VARIANTS.contains(section))
}

/// Drops the keys of a section whose `name` becomes another; returns which, as a sentence.
fn drop_keys(table: &mut Table, section: &str, name: &Value) -> Option<String> {
    let Some(Value::Table(old)) = keys::get_mut(table, section) else { return None };
    let dropped: Vec<String> = old.keys().filter(|key| *key != "name").cloned().collect();
    old.clear();
    let dropped = dropped.join(", ");
    let said = format!("{section}.name is {name} now; the keys of the one before are dropped: {dropped}");
    (!dropped.is_empty()).then_some(said)
}

/// Whether `none` is a value of a key.
fn may_be_none(path: &str) -> bool {
    fn holds(shape: &Shape) -> bool {
        match shape {
            Shape::Word(words) => words.iter().any(|word| word.name == "none"),
            Shape::Either(shapes) => shapes.iter().any(holds),
            _ => false,
        }
    }
    catalogue::catalogue().iter().any(|entry| entry.path == path && holds(&entry.key.shape))
}

fn remove(table: &mut Table, path: &str) {
    match path.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                remove(inner, rest);
            }
        }
        None => drop(table.remove(path)),
    }
}

/// The table at `key`, made if there is none.
pub fn section<'t>(table: &'t mut Table, key: &str) -> &'t mut Table {
    let entry = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    entry.as_table_mut().expect("made a table just above")
}

fn parse(value: &str) -> Value {
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, assignments: &[&str]) -> Table {
        let mut table: Table = text.parse().unwrap();
        let assignments: Vec<Override> = assignments.iter().map(|text| text.parse().unwrap()).collect();
        let _ = apply_all(&mut table, &assignments).unwrap();
        table
    }

    #[test]
    fn values_are_typed_and_tables_made_on_the_way() {
        let text = "[env]\nname = 'maze'\n[policy.cell]\nclamp = 1.0";
        let table = applied(text, &["env.size=9", "algorithm.gamma=0.5", "policy.cell.clamp=none", "env.reward=3"]);
        let expected = "[env]\nname = 'maze'\nsize = 9\nreward = 3\n[policy.cell]\n[algorithm]\ngamma = 0.5";
        assert_eq!(table, expected.parse().unwrap());
        let table = applied("[evaluation]\nevery = 5\nepisodes = 10", &["evaluation.every=0"]);
        assert_eq!(table, "[evaluation]\nevery = 0".parse().unwrap());
        let mut table: Table = "[env]\nsize = 9".parse().unwrap();
        let rows = Override::new("env.size.rows", 1).unwrap();
        assert!(apply(&mut table, &rows).unwrap_err().to_string().contains("`size` is a value"));
        for (wrong, problem) in [("gamma", "needs the form"), ("env..size=1", "an empty key"), ("=1", "an empty key")] {
            let error = wrong.parse::<Override>().unwrap_err().to_string();
            assert!(error.contains(problem), "{wrong}: {error}");
        }
    }

    #[test]
    fn overrides_are_read_as_what_was_written() {
        let texts =
            ["a.b=1", "a.b=1.5", "a=true", "a.b=word", "a=two words", "a=[64, 64]", "a={ b = \"c\" }", "a=none"];
        for text in texts {
            assert_eq!(text.parse::<Override>().unwrap().to_string(), text);
        }
        let values = ["1", "true", "none", " none", "", "a\nb", "it's", "\"", "[1", "2026-11-29"].map(Value::from);
        let numbers = [Value::from(3), Value::from(0.1), Value::from(1e300), Value::from(vec![1, 2])];
        for value in values.into_iter().chain(numbers) {
            let given = Override::new("a.b", value).unwrap();
            assert_eq!(given.to_string().parse::<Override>().unwrap(), given);
            assert_eq!(serde_json::from_str::<Override>(&serde_json::to_string(&given).unwrap()).unwrap(), given);
        }
        assert_eq!("a=none".parse::<Override>().unwrap(), Override::none("a").unwrap());
    }

    #[test]
    fn another_environment_kept_the_keys_of_the_one_before() {
        let maze = "[env]\nname = 'maze'\nsize = 9\n[policy]\nencoder = { name = 'mlp', sizes = [4] }";
        let table = applied(maze, &["env.max_episode_steps=7", "env.name=cartpole", "policy.encoder=identity"]);
        let expected = "[env]\nname = 'cartpole'\nmax_episode_steps = 7\n[policy.encoder]\nname = 'identity'";
        assert_eq!(table, expected.parse().unwrap(), "in whatever order they are given");
        assert_eq!(applied(maze, &["env.name=maze", "env=maze"]), maze.parse().unwrap(), "the same one");
        let stpnf = applied("policy.cell = 'lstm'", &["policy.cell=stpnf"]);
        assert_eq!(keys::get(&stpnf, "policy.cell.recurrent"), Some(&Value::Boolean(false)), "as --cell takes it");
        let cell = applied("policy.cell = { kind = 'stpn', clamp = 1.0 }", &["policy.cell.kind=lstm"]);
        assert_eq!(cell, "policy.cell.name = 'lstm'".parse().unwrap(), "as older versions said it");
    }

    #[test]
    fn a_section_as_a_table_reset_its_other_keys() {
        let text = "[optimizer]\nepsilon = 1e-4\nmax_grad_norm = 4.0\n[policy.cell]\nname = 'stpn'\nclamp = 1.0";
        let table =
            applied(text, &["optimizer={ learning_rate = { initial = 1e-3, last = 0 }, max_grad_norm = 'none' }"]);
        let optimizer = "epsilon = 1e-4\nmax_grad_norm = 'none'\nlearning_rate = { initial = 1e-3, last = 0 }";
        let expected = format!("[optimizer]\n{optimizer}\n[policy.cell]\nname = 'stpn'\nclamp = 1.0");
        assert_eq!(table, expected.parse().unwrap());
        let table = applied(text, &["policy={ hidden = 9, cell = { bias = true } }"]);
        let cell = Value::Table("name = 'stpn'\nclamp = 1.0\nbias = true".parse().unwrap());
        assert_eq!(
            (keys::get(&table, "policy.cell"), keys::get(&table, "policy.hidden")),
            (Some(&cell), Some(&9.into()))
        );
        let table = applied(text, &["policy.cell={ name = 'stpn' }"]);
        assert_eq!(keys::get(&table, "policy.cell"), Some(&Value::Table("name = 'stpn'".parse().unwrap())));
    }

    #[test]
    fn none_could_not_be_given_to_keys_of_which_it_is_a_value() {
        let text = "[optimizer]\nmax_grad_norm = 1.0\n[policy.cell]\nname = 'stpn'\nclamp = 0.5";
        let none = ["optimizer.max_grad_norm=none", "policy.cell.normalize_state=none", "policy.cell.clamp=none"];
        let expected = "[optimizer]\nmax_grad_norm = 'none'\n[policy.cell]\nname = 'stpn'\nnormalize_state = 'none'";
        assert_eq!(applied(text, &none), expected.parse().unwrap());
    }
}
