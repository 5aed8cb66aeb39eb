//! Writing a checkpoint: aside, synced, renamed, pointers last.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::FileEntry;
use super::read::LOG;
use super::staging::{self, Staging};
use super::tensors::TensorWriter;
use super::{directory_name, shard_name};
use crate::collective::{Collective, Local, agree};
use crate::config::RunConfig;
use crate::optimizer::FlatLayout;
use crate::saved::SavedTrainer;
use crate::{Error, Result};

/// Writes `saved` into `directory` (a run's `checkpoints`), moves `latest` (and `best` where asked) to it and removes
/// all but the newest `keep` and the best. Returns the checkpoint's path.
///
/// # Errors
/// [`Error::Io`] or [`Error::Checkpoint`]; every earlier checkpoint is then as it was.
pub fn write(
    directory: &Path,
    config: &RunConfig,
    layout: &FlatLayout,
    saved: &SavedTrainer,
    best: bool,
) -> Result<PathBuf> {
    write_on_ranks(directory, config, layout, saved, best, &Local)
}

/// [`write()`] by all ranks of a job together, on a file system that they share: each writes its own environments, the
/// first everything else, and the manifest last.
///
/// # Errors
/// As [`write()`]; on every rank where it fails on one.
pub fn write_on_ranks(
    directory: &Path,
    config: &RunConfig,
    layout: &FlatLayout,
    saved: &SavedTrainer,
    best: bool,
    ranks: &dyn Collective,
) -> Result<PathBuf> {
    let update = saved.progress.update;
    let staging = match ranks.is_root() {
        true => Staging::create(directory, update),
        false => Ok(Staging::join(directory, update)),
    };
    let staging = agree(ranks, staging)?;
    let entries = agree(ranks, write_files(&staging, config, layout, saved, ranks))?;
    let target = match ranks.is_root() {
        true => commit(staging, directory, config, update, entries, best),
        false => Ok(directory.join(directory_name(update))),
    };
    agree(ranks, target)
}

/// Moves `best` to the checkpoint after `update`, which is there already, and removes what is then of no use.
///
/// # Errors
/// [`Error::Io`]; on every rank where it fails on the first.
pub fn point_best(directory: &Path, config: &RunConfig, update: u64, ranks: &dyn Collective) -> Result<()> {
    let moved = match ranks.is_root() {
        true => {
            point(directory, "best", &directory_name(update)).and_then(|()| prune(directory, config.checkpoint().keep))
        }
        false => Ok(()),
    };
    agree(ranks, moved)
}

fn commit(
    staging: Staging,
    directory: &Path,
    config: &RunConfig,
    update: u64,
    entries: Vec<FileEntry>,
    best: bool,
) -> Result<PathBuf> {
    let target = staging.commit(config.numerics(), entries)?;
    let name = directory_name(update);
    if best {
        point(directory, "best", &name)?;
    }
    point(directory, "latest", &name)?;
    prune(directory, config.checkpoint().keep)?;
    Ok(target)
}

/// Writes this rank's files; returns every rank's entries.
fn write_files(
    staging: &Staging,
    config: &RunConfig,
    layout: &FlatLayout,
    saved: &SavedTrainer,
    ranks: &dyn Collective,
) -> Result<Vec<FileEntry>> {
    let directory = staging.path();
    let shard = shard_name(ranks.rank());
    let workers = || staging.add(&shard, &workers(&directory.join(&shard), saved)?);
    let shared = || {
        let failed = |name: &str, error: serde_json::Error| Error::Checkpoint {
            path: directory.join(name),
            problem: error.to_string(),
        };
        let progress = serde_json::to_vec_pretty(&saved.progress).map_err(|error| failed("progress.json", error))?;
        let log = serde_json::to_vec_pretty(&saved.log).map_err(|error| failed(LOG, error))?;
        Ok(vec![
            staging.add("config.toml", config.to_toml()?.as_bytes())?,
            staging.add("progress.json", &progress)?,
            staging.add("parameters.safetensors", &parameters(directory, layout, &saved.parameters)?)?,
            staging.add("optimizer.safetensors", &optimizer(directory, layout, saved)?)?,
            staging.add(LOG, &log)?,
            workers()?,
        ])
    };
    let own = agree(ranks, if ranks.is_root() { shared() } else { workers().map(|entry| vec![entry]) })?;
    let damaged = |error: &dyn std::fmt::Display| Error::Checkpoint {
        path: directory.to_path_buf(),
        problem: format!("another rank's part cannot be listed: {error}"),
    };
    let own = serde_json::to_vec(&own).map_err(|error| damaged(&error))?;
    let mut entries = Vec::new();
    for part in ranks.gather_bytes(&own) {
        entries.extend(serde_json::from_slice::<Vec<FileEntry>>(&part).map_err(|error| damaged(&error))?);
    }
    Ok(entries)
}

pub(super) fn parameters(directory: &Path, layout: &FlatLayout, values: &[f32]) -> Result<Vec<u8>> {
    let mut tensors = TensorWriter::default();
    for (name, shape, range) in layout.entries() {
        tensors.f32(name, shape, &values[range]);
    }
    tensors.finish(&directory.join("parameters.safetensors"))
}

fn optimizer(directory: &Path, layout: &FlatLayout, saved: &SavedTrainer) -> Result<Vec<u8>> {
    let mut tensors = TensorWriter::default();
    tensors.u64("step", &[saved.adam.step]);
    for (name, shape, range) in layout.entries() {
        tensors.f32(&format!("first_moment.{name}"), shape, &saved.adam.first_moment[range.clone()]);
        tensors.f32(&format!("second_moment.{name}"), shape, &saved.adam.second_moment[range]);
    }
    tensors.finish(&directory.join("optimizer.safetensors"))
}

fn workers(path: &Path, saved: &SavedTrainer) -> Result<Vec<u8>> {
    let mut tensors = TensorWriter::default();
    tensors.u64("workers", &[saved.workers.len() as u64]);
    for (i, worker) in saved.workers.iter().enumerate() {
        let batch = worker.episode_starts.len();
        let streams = postcard::to_allocvec(&worker.streams)
            .map_err(|error| Error::Checkpoint { path: path.to_path_buf(), problem: error.to_string() })?;
        tensors.u8(&format!("{i}.environments"), worker.environments.clone());
        tensors.u8(&format!("{i}.action_streams"), streams);
        if !worker.noise.is_empty() {
            tensors.f32(&format!("{i}.noise"), &[batch, worker.noise.len() / batch], &worker.noise);
        }
        tensors.u8(&format!("{i}.episode_starts"), worker.episode_starts.clone());
        let remembering = worker.episode_starts.iter().filter(|&&start| start == 0).count();
        let width = worker.state.len().checked_div(remembering).unwrap_or(0);
        tensors.f32(&format!("{i}.recurrent_state"), &[remembering, width], &worker.state);
        let observation = worker.observations.len() / batch;
        tensors.observations(&format!("{i}.observations"), &[batch, observation], &worker.observations);
        tensors.f32(&format!("{i}.discounted_returns"), &[batch], &worker.discounted_returns);
    }
    tensors.finish(path)
}

/// Makes the pointer file `pointer` name `target`, at once or not at all.
pub(super) fn point(directory: &Path, pointer: &str, target: &str) -> Result<()> {
    staging::replace(&directory.join(pointer), format!("{target}\n").as_bytes())
}

/// Removes all but the newest `keep` checkpoints and those that a pointer names.
fn prune(directory: &Path, keep: usize) -> Result<()> {
    let named: Vec<String> = ["latest", "best"]
        .iter()
        .filter_map(|pointer| fs::read_to_string(directory.join(pointer)).ok())
        .map(|name| name.trim().to_string())
        .collect();
    let names = super::read::directory_names(directory)?;
    let surplus = names.len().saturating_sub(keep);
    for name in names.into_iter().take(surplus).filter(|name| !named.contains(name)) {
        staging::discard(&directory.join(name))?;
    }
    Ok(())
}
