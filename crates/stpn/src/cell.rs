//! Another recurrent layer in place of an experiment's own.

use stpn_agents::config::nearest::did_you_mean;
use stpn_core::CellConfig;
use stpn_core::cells::CellName;
use toml::{Table, Value};

use crate::error::Kind;
use crate::presets::Preset;
use crate::{Error, Result, overrides};

/// A cell by its name.
///
/// # Errors
/// [`Error::Unknown`], with the nearest name.
pub fn parse(name: &str) -> Result<CellName> {
    name.parse().map_err(|_: stpn_core::Error| {
        let known: Vec<&str> = CellName::all().into_iter().map(CellName::as_str).collect();
        let hint = format!("{}there are: {}", did_you_mean(name, known.iter().copied()), known.join(", "));
        Error::Unknown { kind: Kind::Cell, name: name.into(), hint }
    })
}

/// Cells by their names.
///
/// # Errors
/// As [`parse`].
pub fn parse_all(names: &[String]) -> Result<Vec<CellName>> {
    names.iter().map(|name| parse(name)).collect()
}

/// Makes `name` the cell of an experiment: in the version of a preset; in that of a file with its own options, where
/// its cell is of the same kind. Returns the file's options that are dropped since the kind is another one.
pub fn replace(table: &mut Table, name: CellName, preset: Option<&Preset>) -> Result<Vec<String>> {
    let config = preset.map_or_else(|| name.config(), |preset| preset.cell(name));
    let named = Table::try_from(config).map_err(Error::text)?;
    let own = table.get("policy").and_then(|policy| policy.get("cell")).and_then(Value::as_table);
    let own = own.filter(|_| preset.is_none()).cloned().unwrap_or_default();
    // Cells of one's own have one name in a configuration, and an `id` beside it.
    let kind = ["name", "id"];
    let (cell, dropped) = if kind.iter().all(|key| own.get(*key) == named.get(*key)) {
        let mut cell = own;
        for key in identity(&named)? {
            match named.get(&key) {
                Some(value) => cell.insert(key, value.clone()),
                None => cell.remove(&key),
            };
        }
        (cell, Vec::new())
    } else {
        (named, own.into_iter().map(|(key, _)| key).filter(|key| !kind.contains(&key.as_str())).collect())
    };
    overrides::section(table, "policy").insert("cell".into(), cell.into());
    Ok(dropped)
}

/// The options by which cells of one kind have different names: those that change the label of the kind's first.
fn identity(cell: &Table) -> Result<Vec<String>> {
    let tables = CellName::ALL.map(CellName::config).into_iter().map(Table::try_from);
    let tables = tables.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::text)?;
    let alike: Vec<Table> = tables.into_iter().filter(|other| other.get("name") == cell.get("name")).collect();
    let Some(first) = alike.first() else { return Ok(Vec::new()) };
    let label = |table: Table| table.try_into().map(|config: CellConfig| config.label().to_string());
    let plain = label(first.clone()).map_err(Error::text)?;
    let mut differing: Vec<String> = Vec::new();
    for (key, value) in alike.iter().flatten().filter(|(key, value)| first.get(*key) != Some(*value)) {
        let mut changed = first.clone();
        changed.insert(key.clone(), value.clone());
        if !differing.contains(key) && label(changed).is_ok_and(|label| label != plain) {
            differing.push(key.clone());
        }
    }
    Ok(differing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(cell: &str, name: &str) -> (Value, Vec<String>) {
        let mut table: Table = format!("[policy]\nhidden = 5\n[policy.cell]\n{cell}").parse().unwrap();
        let dropped = replace(&mut table, parse(name).unwrap(), None).unwrap();
        (table["policy"]["cell"].clone(), dropped)
    }

    #[test]
    fn the_options_of_a_files_own_cell_were_dropped() {
        let own = "name = 'stpn'\nclamp = 0.5\nnormalize_state = 'after'\n";
        for (name, recurrent, granularity) in
            [("stpn", true, "synapse"), ("stpnf", false, "synapse"), ("stpn-scalar", true, "scalar")]
        {
            let (cell, dropped) = replaced(own, name);
            let cell: CellConfig = cell.try_into().unwrap();
            assert_eq!(cell.label(), name);
            let CellConfig::Stpn(config) = cell else { panic!("an STPN") };
            assert_eq!((config.clamp, config.recurrent), (Some(0.5), recurrent), "{granularity}");
            assert_eq!(config.normalize_state, stpn_core::cells::NormalizeState::After);
            assert!(dropped.is_empty());
        }
        let feed_forward = "name = 'stpn'\nrecurrent = false\ngranularity = 'scalar'\nclamp = 0.5\n";
        let cell: CellConfig = replaced(feed_forward, "stpn").0.try_into().unwrap();
        assert_eq!(cell.label(), "stpn");
        let (cell, dropped) = replaced(own, "lstm");
        assert_eq!(cell["name"].as_str(), Some("lstm"));
        assert_eq!(dropped, ["clamp", "normalize_state"]);
        let (cell, _) = replaced("name = 'backpropamine'\nbound = 'hard-clamp'\n", "differentiable-plasticity");
        let cell: CellConfig = cell.try_into().unwrap();
        assert_eq!(cell.label(), "differentiable-plasticity");
    }
}
