//! Keys of a configuration by their dotted names: all of them with their values, and the one an error is about.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Error, Result};

/// Keys that choose which others there are.
const KINDS: [&str; 2] = ["name", "kind"];

/// Every key with its value, dotted, in order; lists and empty tables are values.
pub fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) if !inner.is_empty() => {
                keys.extend(flat(inner).into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)));
            }
            value => keys.push((key.clone(), value.clone())),
        }
    }
    keys
}

/// The value of a dotted key.
pub fn get<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    match key.split_once('.') {
        Some((section, rest)) => get(table.get(section)?.as_table()?, rest),
        None => table.get(key),
    }
}

/// Removes a dotted key where it is there. Of a section whose `name` is removed, nothing else has a meaning.
pub fn remove(table: &mut Table, key: &str) {
    match key.split_once('.') {
        Some((section, "name")) => drop(table.remove(section)),
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                remove(inner, rest);
            }
        }
        None => drop(table.remove(key)),
    }
}

/// A table as a value of type T.
///
/// # Errors
/// [`Error::Config`] naming the key, also inside of sections whose `name` or `kind` decides what they hold: of those,
/// serde itself tells the section alone.
pub fn read<T: DeserializeOwned>(table: Table) -> Result<T> {
    serde_path_to_error::deserialize(table.clone()).map_err(|error: serde_path_to_error::Error<toml::de::Error>| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        let problem = problem::<T>(&table).unwrap_or_else(|| error.into_inner().to_string());
        let key = culprit::<T>(&table, path, &problem);
        Error::config(if key.is_empty() { "(top level)".to_string() } else { key }, problem.trim())
    })
}

/// What is wrong with a table.
fn problem<T: DeserializeOwned>(table: &Table) -> Option<String> {
    T::deserialize(table.clone()).err().map(|error: toml::de::Error| error.to_string())
}

/// The key below `path` without which the problem would be another, or none.
fn culprit<T: DeserializeOwned>(table: &Table, path: String, problem: &str) -> String {
    let section = if path.is_empty() { Some(table) } else { get(table, &path).and_then(Value::as_table) };
    // What is missing is in no key that is there.
    let Some(section) = section.filter(|_| !problem.contains("missing field")) else { return path };
    let mut keys: Vec<&String> = section.keys().collect();
    keys.sort_by_key(|key| KINDS.contains(&key.as_str()));
    for key in keys {
        let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let mut without = table.clone();
        remove_only(&mut without, &key);
        if self::problem::<T>(&without).as_deref() != Some(problem) {
            return culprit::<T>(table, key, problem);
        }
    }
    path
}

fn remove_only(table: &mut Table, key: &str) {
    match key.split_once('.') {
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                remove_only(inner, rest);
            }
        }
        None => drop(table.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;

    const TEXT: &str = "[env]\nname = 'maze'\n[rollout]\nenvironments = 2\nsteps = 8\n[policy]\nhidden = 5\n\
                        [policy.cell]\nkind = 'stpn'\n[algorithm]\nname = 'ppo'\nminibatch_size = 8\n";

    fn table(more: &str) -> Table {
        format!("{TEXT}{more}").parse().unwrap()
    }

    #[test]
    fn keys_are_flat_and_found() {
        let table = table("kl_penalty = { target = 0.5 }\n[policy.gaussian]\n");
        let keys = flat(&table);
        let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        assert!(names.contains(&"algorithm.kl_penalty.target") && names.contains(&"policy.gaussian"), "{names:?}");
        assert!(keys.iter().all(|(key, value)| get(&table, key) == Some(value)));
        assert_eq!(get(&table, "policy.absent.key"), None);
    }

    #[test]
    fn type_errors_named_the_section_and_not_the_key() {
        for (key, value, expected) in [
            ("algorithm.gamma", "'much'", "algorithm.gamma"),
            ("algorithm.epochs", "1.5", "algorithm.epochs"),
            ("algorithm.kl_penalty.target", "'low'", "algorithm.kl_penalty.target"),
            ("algorithm.clip", "'small'", "algorithm.clip"),
            ("algorithm.clip.initial", "0.2", "algorithm.clip"),
            ("algorithm.name", "'sarsa'", "algorithm.name"),
            ("algorithm.gama", "0.5", "algorithm.gama"),
            ("env.size", "'big'", "env.size"),
            ("env.name", "'labyrinth'", "env.name"),
            ("policy.cell.clamp", "'tight'", "policy.cell.clamp"),
            ("policy.cell.normalize_state", "'often'", "policy.cell.normalize_state"),
            ("policy.encoder.name", "'eyes'", "policy.encoder.name"),
            ("policy.hidden", "'some'", "policy.hidden"),
            ("optimizer.learning_rate", "'high'", "optimizer.learning_rate"),
            ("rollout.steps", "-1", "rollout.steps"),
            ("seed", "'none'", "seed"),
        ] {
            let mut table = table("");
            let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
            let mut inner = &mut table;
            for name in section.split('.').filter(|name| !name.is_empty()) {
                let entry = inner.entry(name).or_insert_with(|| Value::Table(Table::new()));
                inner = entry.as_table_mut().unwrap();
            }
            inner.insert(last.into(), format!("value = {value}").parse::<Table>().unwrap().remove("value").unwrap());
            let Err(Error::Config { key: named, problem }) = RunConfig::from_table(table) else { panic!("{key}") };
            assert_eq!(named, expected, "{problem}");
        }
        let missing = "[env]\nname = 'maze'\n[policy]\nhidden = 5\n[policy.cell]\nkind = 'stpn'\n[algorithm]\n\
                       name = 'a2c'\n[rollout]\nsteps = 8\n";
        let error = RunConfig::from_table(missing.parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("rollout: missing field `environments`"), "{error}");
    }
}
