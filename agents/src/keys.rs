//! Keys of a configuration by their dotted names: all of them with their values, and the one an error is about.

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::{Error, Result};

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

/// The value of a dotted key, to be changed.
pub fn get_mut<'t>(table: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    match key.split_once('.') {
        Some((section, rest)) => get_mut(table.get_mut(section)?.as_table_mut()?, rest),
        None => table.get_mut(key),
    }
}

/// Sets a dotted key and makes sections that are missing. If a value stands in place of a section, nothing is changed.
pub fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                set(section, rest, value);
            }
        }
        None => drop(table.insert(key.to_string(), value)),
    }
}

/// Removes a dotted key if it is there. Of a section whose `name` is removed, nothing else has a meaning.
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

/// The line, counted from 1, at which a file has a dotted key; if it lacks the key, that of the innermost section it has.
pub fn line(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut start) = (document.get_ref(), None);
    for part in key.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else { break };
        start = Some(name.span().start);
        let DeValue::Table(inner) = value.get_ref() else { break };
        table = inner;
    }
    Some(text.get(..start?)?.matches('\n').count() + 1)
}

/// A table as a value of type T.
///
/// # Errors
/// [`Error::Config`] naming the key: errors that the check of shapes cannot see.
pub fn read<T: DeserializeOwned>(table: Table) -> Result<T> {
    serde_path_to_error::deserialize(table).map_err(|error: serde_path_to_error::Error<toml::de::Error>| {
        let path = match error.path().to_string() {
            path if path == "." => "(top level)".to_string(),
            path => path,
        };
        Error::config(path, error.into_inner().to_string().trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;

    const TEXT: &str = "[env]\nname = 'maze'\n[rollout]\nenvironments = 2\nsteps = 8\n[policy]\nhidden = 5\n\
                        [policy.cell]\nname = 'stpn'\n[algorithm]\nname = 'ppo'\nminibatch_size = 8\n";

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
            ("algorithm.clip.initial", "0.2", "algorithm.clip.last"),
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
        for (text, expected) in [
            ("policy.hidden = 5", "env: is missing"),
            ("env = 'maze'\nalgorithm = 'ppo'\npolicy.hidden = 5", "policy.cell: is missing: one of \"stpn\""),
            ("env.size = 5\nalgorithm = 'ppo'\npolicy.cell = 'rnn'", "env.name: is missing"),
        ] {
            let error = RunConfig::from_table(text.parse().unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_error_in_a_file_named_no_line() {
        let text = "seed = 1\n\n[env]\nname = 'maze'\n[policy]\ncell.name = 'stpn'\n";
        for (key, expected) in [
            ("seed", Some(1)),
            ("env.name", Some(4)),
            ("env.sise", Some(3)),
            ("policy.cell.name", Some(6)),
            ("policy.cell.clamp", Some(6)),
            ("rollout.steps", None),
        ] {
            assert_eq!(line(text, key), expected, "{key}");
        }
    }

    /// Words of the library that reads TOML, which mean nothing to whoever writes a file.
    #[test]
    fn messages_spoke_of_untagged_enums() {
        const JARGON: [&str; 8] =
            ["untagged", "tagged", "variant", "missing field", "unknown field", "invalid type", "expected", "struct"];
        for text in [
            "policy.cell = { clamp = 1.0 }",
            "policy.cell = 3",
            "policy.cell.name = 'lstn'",
            "policy.hiden = 3",
            "algorithm = { name = 'ppo', clip = 'x' }",
            "algorithm = { name = 'ppo', clip = { initial = 1.0 } }",
            "algorithm = { name = 'ppo', kl_penalty = 3 }",
            "algorithm = { name = 'ppo', normalize_advantages = 'never' }",
            "algorithm = ['ppo']",
            "optimizer.max_grad_norm = 'much'",
            "rollout = 3",
            "rollout.steps = -3",
            "env = { name = 'maze', size = 'big' }",
            "log.energy_skip_inputs = ['a']",
            "seed = 1.5",
            "colour = 'red'",
        ] {
            let mut table: Table = "env = 'maze'\nalgorithm = 'ppo'\npolicy.cell = 'rnn'".parse().unwrap();
            for (key, value) in text.parse::<Table>().unwrap() {
                match (table.get_mut(&key), value) {
                    (Some(Value::Table(section)), Value::Table(more)) => section.extend(more),
                    (_, value) => drop(table.insert(key, value)),
                }
            }
            let error = RunConfig::from_table(table).unwrap_err().to_string();
            assert!(!JARGON.iter().any(|word| error.contains(word)), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_of_steps_could_not_be_written_as_1e6() {
        let text = "env = 'maze'\nalgorithm = 'ppo'\npolicy.cell = 'rnn'\ntraining.updates = 1e6\nseed = 1_000";
        let config = RunConfig::from_table(text.parse().unwrap()).unwrap();
        assert_eq!((config.training().updates, *config.seed()), (1_000_000, 1000));
    }
}
