//! An agent to pass on: what it takes to evaluate it, without what only training needs.

use std::path::{Path, PathBuf};

use super::read::Checkpoint;
use super::staging::Staging;
use crate::{Error, Result};

/// Writes a checkpoint's configuration, progress and parameters, without optimiser and environments, as a checkpoint
/// into `directory`. Returns its path.
///
/// # Errors
/// [`Error::Io`] or [`Error::Checkpoint`]; [`Error::RunDirectory`] where `directory` holds a checkpoint already.
pub fn export(checkpoint: &Checkpoint, directory: &Path) -> Result<PathBuf> {
    let held = if directory.exists() { super::read::directory_names(directory)? } else { Vec::new() };
    if let Some(name) = held.first() {
        let problem = format!("holds {name} already: export into another directory or remove it");
        return Err(Error::RunDirectory { path: directory.to_path_buf(), problem });
    }
    let update = checkpoint.progress.update;
    let staging = Staging::create(directory, update)?;
    let path = staging.path().join("progress.json");
    let progress = serde_json::to_vec_pretty(&checkpoint.progress)
        .map_err(|error| Error::Checkpoint { path, problem: error.to_string() })?;
    let entries = vec![
        staging.add("config.toml", checkpoint.config.to_toml()?.as_bytes())?,
        staging.add("progress.json", &progress)?,
        staging.add("parameters.safetensors", checkpoint.parameter_file())?,
    ];
    staging.commit(entries)
}
