//! The experiments that ship: a TOML file each, and the cell sizes of their comparison.

mod shipped;
mod sizes;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use stpn_agents::config::nearest::did_you_mean;
use stpn_agents::config::normal::normal;
use stpn_agents::{RunConfig, keys};
use stpn_core::CellConfig;
use stpn_core::cells::CellName;
use toml::Table;

pub use shipped::PRESETS;
pub use sizes::Sizes;

use crate::error::{Kind, Place};
use crate::settings::is_below;
use crate::{Error, Result, files, overrides, paths};

/// An experiment with its settings.
#[derive(Debug)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The cargo feature that its environment needs, if any.
    pub feature: Option<&'static str>,
    cells: &'static Cells,
    text: &'static str,
}

/// The cells of a published comparison.
#[derive(Debug)]
struct Cells {
    /// Units of each.
    sizes: &'static [(CellName, usize)],
    /// What the comparison changes in a cell's defaults.
    adapt: fn(&mut CellConfig),
}

/// Those that this program has added.
static REGISTERED: RwLock<Vec<&'static Preset>> = RwLock::new(Vec::new());

/// Every preset: those that ship, then those that this program has added.
pub fn all() -> Vec<&'static Preset> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    PRESETS.iter().chain(registered.iter().copied()).collect()
}

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    all().into_iter().find(|preset| preset.name == name)
}

/// Adds a preset to this process, its environment registered before.
///
/// # Errors
/// [`stpn_agents::Error::Config`] if the name is taken or the configuration is impossible.
pub fn register(name: &str, summary: &str, text: &str) -> Result<()> {
    let refuse = |problem: String| stpn_agents::Error::config(format!("preset {name}"), problem);
    if find(name).is_some() {
        return Err(refuse("the name is taken by another preset".into()).into());
    }
    RunConfig::from_table(text.parse().map_err(|error: toml::de::Error| refuse(error.to_string()))?)?;
    // Presets live as long as the process, as those that ship do.
    let kept = |text: &str| -> &'static str { text.to_string().leak() };
    let preset =
        Preset { name: kept(name), summary: kept(summary), feature: None, cells: &shipped::NONE, text: kept(text) };
    REGISTERED.write().unwrap_or_else(PoisonError::into_inner).push(Box::leak(Box::new(preset)));
    Ok(())
}

/// The preset of that name, with its environment in this build.
///
/// # Errors
/// [`Error::Unknown`], with the nearest name; [`Error::NotBuilt`].
pub fn get(name: &str) -> Result<&'static Preset> {
    let preset = find(name).ok_or_else(|| {
        let known: Vec<&str> = all().iter().map(|preset| preset.name).collect();
        let near = did_you_mean(name, known.iter().copied());
        Error::Unknown { kind: Kind::Preset, name: name.into(), hint: format!("{near}there are: {}", known.join(", ")) }
    })?;
    match preset.missing_feature() {
        Some(feature) => Err(Error::NotBuilt { preset: name.into(), feature }),
        None => Ok(preset),
    }
}

/// The preset or file that `name` names, as a table.
///
/// # Errors
/// As [`get`], and if the file cannot be read.
pub fn load(name: &str) -> Result<(Table, Option<&'static Preset>)> {
    if !name.ends_with(".toml") || find(name).is_some() {
        let preset = get(name)?;
        return Ok((preset.table()?, Some(preset)));
    }
    let path = Path::new(name);
    let unreadable = |error: toml::de::Error| Error::Placed {
        place: Place::File { path: path.into(), line: None },
        error: Box::new(stpn_agents::Error::config("TOML", error.to_string())),
    };
    let mut table = files::read(path)?.parse().map_err(unreadable)?;
    normal(&mut table);
    paths::make_absolute(&mut table, paths::folder_of(path))?;
    Ok((table, None))
}

/// An error in the configuration that `name` names, with its line if it is a file, or with the override that made it.
pub fn placed(error: stpn_agents::Error, name: &str, overrides: &[String]) -> Error {
    use stpn_agents::Error::{Config, Unused};
    let (Config { key, .. } | Unused { key, .. }) = &error else { return error.into() };
    let find_last = |matches: &dyn Fn(&str) -> bool| {
        overrides.iter().rev().find(|assignment| overrides::key(assignment).is_some_and(|path| matches(&path)))
    };
    // What is refused may be a whole section, of which one key was set.
    let assignment = find_last(&|path| is_below(key, path)).or_else(|| find_last(&|path| is_below(path, key)));
    let place = match assignment {
        Some(assignment) => Place::Assignment(assignment.clone()),
        None if find(name).is_some() => return error.into(),
        None => {
            let line = std::fs::read_to_string(name).ok().and_then(|text| keys::line(&text, key));
            Place::File { path: name.into(), line }
        }
    };
    Error::Placed { place, error: Box::new(error) }
}

impl Preset {
    /// Its configuration, in normal form.
    ///
    /// # Errors
    /// [`stpn_agents::Error::Config`] if its text is no TOML.
    pub fn table(&self) -> Result<Table> {
        let refuse =
            |error: toml::de::Error| stpn_agents::Error::config(format!("preset {}", self.name), error.to_string());
        let mut table = self.text.parse().map_err(refuse)?;
        normal(&mut table);
        Ok(table)
    }

    /// The feature that it needs and this program has not got.
    pub fn missing_feature(&self) -> Option<&'static str> {
        self.feature.filter(|feature| match *feature {
            "mujoco" => !cfg!(feature = "mujoco"),
            "atari" => !cfg!(feature = "atari"),
            _ => true,
        })
    }

    /// Its version of a cell.
    pub fn cell(&self, name: CellName) -> CellConfig {
        let mut config = name.config();
        (self.cells.adapt)(&mut config);
        config
    }

    /// The cells of its published comparison.
    pub fn published_cells(&self) -> impl Iterator<Item = CellName> {
        self.cells.sizes.iter().map(|(cell, _)| *cell)
    }

    /// Its published size of a cell; none if the paper has none.
    pub fn published_size(&self, name: CellName) -> Option<usize> {
        self.cells.sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}
