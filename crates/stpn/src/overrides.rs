//! `--set section.key=value`: overriding one key of a configuration table; and the keys in which two differ.

use std::collections::BTreeSet;

use anyhow::Result;
use stpn_agents::RunConfig;
use toml::{Table, Value};

use crate::exit::UsageError;

/// Applies one override; the value is read as TOML, or as a string where it is none, and `none` removes the key.
pub fn apply(table: &mut Table, assignment: &str) -> Result<()> {
    let usage = |problem: &str| UsageError(format!("--set {assignment}: {problem}"));
    let (path, value) = assignment.split_once('=').ok_or_else(|| usage("needs the form section.key=value"))?;
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or_else(|| usage("has an empty key"))?;
    let mut table = table;
    for key in keys {
        let entry = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| usage(&format!("`{key}` is a value and has no keys")))?;
    }
    match value.trim() {
        "none" => {
            table.remove(last);
        }
        value => {
            table.insert(last.to_string(), parse(value));
        }
    }
    Ok(())
}

/// The dotted keys in which two configurations differ.
pub fn differing_keys(a: &RunConfig, b: &RunConfig) -> Result<Vec<String>> {
    let [a, b] = [Value::try_from(a)?, Value::try_from(b)?];
    let mut keys = Vec::new();
    compare("", Some(&a), Some(&b), &mut keys);
    Ok(keys)
}

fn compare(key: &str, a: Option<&Value>, b: Option<&Value>, differing: &mut Vec<String>) {
    match (a, b) {
        (Some(Value::Table(a)), Some(Value::Table(b))) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                compare(&inner, a.get(name), b.get(name), differing);
            }
        }
        (a, b) if a == b => {}
        _ => differing.push(key.to_string()),
    }
}

fn parse(value: &str) -> Value {
    let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_typed_and_tables_made_on_the_way() {
        let mut table: Table = "[env]\nname = 'maze'\n[policy.cell]\nclamp = 1.0".parse().unwrap();
        for assignment in ["env.size=9", "algorithm.gamma=0.5", "policy.cell.clamp=none", "env.name=cartpole"] {
            apply(&mut table, assignment).unwrap();
        }
        let expected = "[env]\nname = 'cartpole'\nsize = 9\n[policy.cell]\n[algorithm]\ngamma = 0.5";
        assert_eq!(table, expected.parse().unwrap());
        assert!(apply(&mut table, "env.size.rows=1").unwrap_err().to_string().contains("`size` is a value"));
        assert!(apply(&mut table, "gamma").is_err());
    }
}
