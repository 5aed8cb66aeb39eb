//! `--set section.key=value`: overriding one key of a configuration table.

use std::path::Path;

use anyhow::Result;
use toml::{Table, Value};

use crate::exit::UsageError;
use crate::paths;

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
            let value = parse(value);
            if path.trim() == "evaluation.every" && value == Value::Integer(0) {
                // Where evaluations are switched off, how to make them goes too: it would do nothing.
                table.clear();
            }
            table.insert(last.to_string(), value);
        }
    }
    Ok(())
}

/// Applies all overrides of a command line, of which paths are read from the current folder.
pub fn apply_all(table: &mut Table, assignments: &[String]) -> Result<()> {
    for assignment in assignments {
        apply(table, assignment)?;
        paths::make_absolute(table, Path::new(""))?;
    }
    Ok(())
}

/// The table at `key`, made where there is none.
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

    #[test]
    fn values_are_typed_and_tables_made_on_the_way() {
        let mut table: Table = "[env]\nname = 'maze'\n[policy.cell]\nclamp = 1.0".parse().unwrap();
        for assignment in ["env.size=9", "algorithm.gamma=0.5", "policy.cell.clamp=none", "env.name=cartpole"] {
            apply(&mut table, assignment).unwrap();
        }
        let expected = "[env]\nname = 'cartpole'\nsize = 9\n[policy.cell]\n[algorithm]\ngamma = 0.5";
        assert_eq!(table, expected.parse().unwrap());
        let mut table: Table = "[evaluation]\nevery = 5\nepisodes = 10".parse().unwrap();
        apply(&mut table, "evaluation.every=0").unwrap();
        assert_eq!(table, "[evaluation]\nevery = 0".parse().unwrap());
        let mut table: Table = "[env]\nsize = 9".parse().unwrap();
        assert!(apply(&mut table, "env.size.rows=1").unwrap_err().to_string().contains("`size` is a value"));
        assert!(apply(&mut table, "gamma").is_err());
    }
}
