//! The experiments that ship: a TOML file each, and the cell sizes of their comparison.

mod popgym;
mod preset;
mod shipped;
mod sizes;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use stpn_agents::config::catalogue::catalogue;
use stpn_agents::config::nearest::did_you_mean;
use stpn_agents::config::normal::normal;
use stpn_agents::config::shape::Shape;
use stpn_agents::{RunConfig, keys};
use toml::Table;

pub(crate) use popgym::discount;
pub use preset::Preset;
pub use shipped::PRESETS;
pub use sizes::{Size, Sizes};

use crate::error::{Kind, Place};
use crate::settings::is_below;
use crate::{Error, Override, Result, files, paths};

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
        let hint = as_environment(name).unwrap_or_else(|| {
            let near = did_you_mean(name, known.iter().copied());
            format!("{near}there are: {}", known.join(", "))
        });
        Error::Unknown { kind: Kind::Preset, name: name.into(), hint }
    })?;
    match preset.missing_feature() {
        Some(feature) => Err(Error::NotBuilt { preset: name.into(), feature }),
        None => Ok(preset),
    }
}

/// How an environment is trained that has no preset; none if there is no such environment.
fn as_environment(name: &str) -> Option<String> {
    let environments = catalogue().into_iter().find(|entry| entry.path == "env")?;
    let Shape::Variants(variants) = &environments.key.shape else { return None };
    if variants.iter().any(|variant| variant.name == name) {
        return Some(format!(
            "`{name}` is an environment without a preset: a file trains it that says env = \"{name}\""
        ));
    }
    let (base, version) = name.rsplit_once("-v")?;
    let of_gymnasium = !version.is_empty() && version.chars().all(|letter| letter.is_ascii_digit());
    let near = did_you_mean(base, all().iter().map(|preset| preset.name));
    of_gymnasium.then(|| format!("{near}An environment of Python's Gymnasium is `gym {name}`"))
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
pub fn placed(error: stpn_agents::Error, name: &str, overrides: &[Override]) -> Error {
    use stpn_agents::Error::{Config, Unused};
    let (Config { key, .. } | Unused { key, .. }) = &error else { return error.into() };
    let find_last =
        |matches: &dyn Fn(&str) -> bool| overrides.iter().rev().find(|assignment| matches(assignment.key()));
    // What is refused may be a whole section, of which one key was set.
    let assignment = find_last(&|path| is_below(key, path)).or_else(|| find_last(&|path| is_below(path, key)));
    let place = match assignment {
        Some(assignment) => Place::Assignment(assignment.to_string()),
        // A table has no name.
        None if name.is_empty() || find(name).is_some() => return error.into(),
        None => {
            let line = std::fs::read_to_string(name).ok().and_then(|text| keys::line(&text, key));
            Place::File { path: name.into(), line }
        }
    };
    Error::Placed { place, error: Box::new(error) }
}
