//! Cells of one's own in a configuration.

use stpn_core::CellConfig;

use super::nearest::did_you_mean;
use crate::{Error, Result};

/// Refuses a cell that this process has not registered, and options that it has not got.
///
/// # Errors
/// [`stpn_core::Error::Unregistered`]; [`Error::Config`] naming the key, with the nearest one.
pub fn check_cell(config: &CellConfig) -> Result<()> {
    let CellConfig::Custom(config) = config else { return Ok(()) };
    let known = config.registered()?.keys;
    if let (Some(known), Some(options)) = (known, config.options.as_object())
        && let Some(unknown) = options.keys().find(|key| !known.contains(&key.as_str()))
    {
        let near = did_you_mean(unknown, known.iter().copied());
        let problem = match known {
            [] => format!("there is no such key: the cell `{}` has none", config.id),
            _ => format!("there is no such key; {near}there are: {}", known.join(", ")),
        };
        return Err(Error::config(format!("policy.cell.options.{unknown}"), problem));
    }
    config.check().map_err(|error| match error {
        stpn_core::Error::Config { key, problem } => Error::config(format!("policy.cell.{key}"), problem),
        other => other.into(),
    })
}
