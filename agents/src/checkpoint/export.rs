//! A checkpoint to pass on: what it takes to evaluate its agent, or also what training needs.

use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::read::Checkpoint;
use super::staging::Staging;
use super::write;
use crate::config::RunConfig;
use crate::optimizer::FlatLayout;
use crate::saved::Progress;
use crate::{Error, Result};

/// Writes a checkpoint's configuration, progress and parameters, without optimiser and environments, as a checkpoint
/// into `directory`. Returns its path.
///
/// # Errors
/// [`Error::Io`] or [`Error::Checkpoint`]; [`Error::RunDirectory`] if `directory` holds a checkpoint already.
pub fn export(checkpoint: &Checkpoint, directory: &Path) -> Result<PathBuf> {
    let staging = begin(&checkpoint.progress, directory)?;
    commit(staging, &checkpoint.config, &checkpoint.progress, checkpoint.parameter_file())
}

/// Copies a whole checkpoint into `directory`, from where its run can be continued. Returns its path.
///
/// # Errors
/// As [`export()`]; [`Error::Checkpoint`] also if the checkpoint is an exported agent.
pub fn copy(checkpoint: &Checkpoint, directory: &Path) -> Result<PathBuf> {
    copy_to(begin(&checkpoint.progress, directory)?, checkpoint)
}

/// Copies the newest checkpoint of a run into `directory`, and the best one, if it is another and known. Returns the
/// former, and the path of its copy.
///
/// # Errors
/// As [`copy()`]; [`Error::Checkpoint`] also if a newer one is damaged.
pub fn copy_run(run: &Path, directory: &Path) -> Result<(Checkpoint, PathBuf)> {
    let checkpoints = run.join("checkpoints");
    let (newest, damaged) = super::read::newest(&checkpoints)?;
    if let Some(error) = damaged.into_iter().next() {
        return Err(error);
    }
    let best = super::read::best(&checkpoints)?;
    let path = copy(&newest, directory)?;
    if let Some(best) = best {
        if best.progress.update != newest.progress.update {
            copy_to(Staging::create(directory, best.progress.update)?, &best)?;
        }
        write::point(directory, "best", &super::directory_name(best.progress.update))?;
    }
    Ok((newest, path))
}

fn copy_to(staging: Staging, checkpoint: &Checkpoint) -> Result<PathBuf> {
    checkpoint.for_training()?;
    let manifest = Manifest::read(&checkpoint.path)?;
    for entry in &manifest.files {
        staging.add(&entry.name, &manifest.file(&checkpoint.path, &entry.name)?)?;
    }
    // Of its own format: files of an older one stay what they are.
    staging.commit_as(&manifest)
}

/// Writes an agent's folder, which [`find`](super::find) takes: its `config.toml`, and a checkpoint below `checkpoints`
/// with the `values` of all parameters. Returns the checkpoint's path.
///
/// # Errors
/// As [`export()`].
pub fn save(
    config: &RunConfig,
    progress: &Progress,
    layout: &FlatLayout,
    values: &[f32],
    directory: &Path,
) -> Result<PathBuf> {
    let staging = begin(progress, &directory.join("checkpoints"))?;
    let parameters = write::parameters(staging.path(), layout, values)?;
    let path = commit(staging, config, progress, &parameters)?;
    super::staging::replace(&directory.join("config.toml"), config.to_toml()?.as_bytes())?;
    Ok(path)
}

fn begin(progress: &Progress, directory: &Path) -> Result<Staging> {
    let held = if directory.exists() { super::read::directory_names(directory)? } else { Vec::new() };
    match held.first() {
        Some(name) => {
            let problem = format!("holds {name} already: export into another directory or remove it");
            Err(Error::RunDirectory { path: directory.to_path_buf(), problem })
        }
        None => Staging::create(directory, progress.update),
    }
}

fn commit(staging: Staging, config: &RunConfig, progress: &Progress, parameters: &[u8]) -> Result<PathBuf> {
    let path = staging.path().join("progress.json");
    let progress =
        serde_json::to_vec_pretty(progress).map_err(|error| Error::Checkpoint { path, problem: error.to_string() })?;
    let entries = vec![
        staging.add("config.toml", config.to_toml()?.as_bytes())?,
        staging.add("progress.json", &progress)?,
        staging.add("parameters.safetensors", parameters)?,
    ];
    staging.commit(config.numerics(), entries)
}
