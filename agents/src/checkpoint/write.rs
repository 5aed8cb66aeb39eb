//! Writing a checkpoint: aside, synced, renamed, pointers last.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::manifest::{FileEntry, MANIFEST, Manifest};
use super::tensors::TensorWriter;
use super::{FORMAT, directory_name};
use crate::config::RunConfig;
use crate::optimizer::FlatLayout;
use crate::trainer::SavedTrainer;
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
    let name = directory_name(saved.progress.update);
    let target = directory.join(&name);
    let aside = directory.join(format!(".{name}.partial"));
    fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(Error::io("cannot remove", &aside))?;
    }
    fs::create_dir(&aside).map_err(Error::io("cannot create", &aside))?;
    let written = write_files(&aside, config, layout, saved);
    if let Err(error) = written {
        // Best effort: the error that matters is the one from writing.
        let _ = fs::remove_dir_all(&aside);
        return Err(error);
    }
    if target.exists() {
        // Written before by a run that was then set back: the newer one is as good, and this process' own.
        fs::remove_dir_all(&target).map_err(Error::io("cannot replace", &target))?;
    }
    fs::rename(&aside, &target).map_err(Error::io("cannot rename", &aside))?;
    sync_directory(directory)?;
    if best {
        point(directory, "best", &name)?;
    }
    point(directory, "latest", &name)?;
    prune(directory, config.checkpoint().keep)?;
    Ok(target)
}

fn write_files(directory: &Path, config: &RunConfig, layout: &FlatLayout, saved: &SavedTrainer) -> Result<()> {
    let progress = serde_json::to_vec_pretty(&saved.progress)
        .map_err(|error| Error::Checkpoint { path: directory.join("progress.json"), problem: error.to_string() })?;
    let files = [
        ("config.toml", config.to_toml()?.into_bytes()),
        ("progress.json", progress),
        ("parameters.safetensors", parameters(directory, layout, saved)?),
        ("optimizer.safetensors", optimizer(directory, layout, saved)?),
        ("workers-00000.safetensors", workers(directory, saved)?),
    ];
    for (name, contents) in &files {
        write_synced(&directory.join(name), contents)?;
    }
    let manifest = Manifest {
        format: FORMAT,
        stpn: env!("CARGO_PKG_VERSION").to_string(),
        update: saved.progress.update,
        files: files.iter().map(|(name, contents)| FileEntry::of(name, contents)).collect(),
    };
    let manifest = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::Checkpoint { path: directory.join(MANIFEST), problem: error.to_string() })?;
    write_synced(&directory.join(MANIFEST), &manifest)?;
    sync_directory(directory)
}

fn parameters(directory: &Path, layout: &FlatLayout, saved: &SavedTrainer) -> Result<Vec<u8>> {
    let mut tensors = TensorWriter::default();
    for (name, shape, range) in layout.entries() {
        tensors.f32(name, shape, &saved.parameters[range]);
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

fn workers(directory: &Path, saved: &SavedTrainer) -> Result<Vec<u8>> {
    let path = directory.join("workers-00000.safetensors");
    let mut tensors = TensorWriter::default();
    tensors.u64("workers", &[saved.workers.len() as u64]);
    for (i, worker) in saved.workers.iter().enumerate() {
        let batch = worker.episode_starts.len();
        let streams = postcard::to_allocvec(&worker.streams)
            .map_err(|error| Error::Checkpoint { path: path.clone(), problem: error.to_string() })?;
        tensors.u8(&format!("{i}.environments"), worker.environments.clone());
        tensors.u8(&format!("{i}.action_streams"), streams);
        tensors.u8(&format!("{i}.episode_starts"), worker.episode_starts.clone());
        tensors.f32(&format!("{i}.recurrent_state"), &[batch, worker.state.len() / batch], &worker.state);
        let observation = worker.observations.len() / batch;
        tensors.observations(&format!("{i}.observations"), &[batch, observation], &worker.observations);
        tensors.f32(&format!("{i}.discounted_returns"), &[batch], &worker.discounted_returns);
    }
    tensors.finish(&path)
}

fn write_synced(path: &Path, contents: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("cannot create", path))?;
    file.write_all(contents).map_err(Error::io("cannot write", path))?;
    file.sync_all().map_err(Error::io("cannot sync", path))
}

/// Makes renames in `directory` survive a power cut.
fn sync_directory(directory: &Path) -> Result<()> {
    let file = File::open(directory).map_err(Error::io("cannot open", directory))?;
    file.sync_all().map_err(Error::io("cannot sync", directory))
}

/// Makes the pointer file `pointer` name `target`, at once or not at all.
fn point(directory: &Path, pointer: &str, target: &str) -> Result<()> {
    let (path, aside) = (directory.join(pointer), directory.join(format!(".{pointer}.partial")));
    write_synced(&aside, format!("{target}\n").as_bytes())?;
    fs::rename(&aside, &path).map_err(Error::io("cannot rename", &aside))?;
    sync_directory(directory)
}

/// Removes all but the newest `keep` checkpoints and those that a pointer names.
fn prune(directory: &Path, keep: usize) -> Result<()> {
    let named: Vec<String> = ["latest", "best"]
        .iter()
        .filter_map(|pointer| fs::read_to_string(directory.join(pointer)).ok())
        .map(|name| name.trim().to_string())
        .collect();
    let mut names = super::read::directory_names(directory)?;
    names.sort_unstable();
    let surplus = names.len().saturating_sub(keep);
    for name in names.into_iter().take(surplus).filter(|name| !named.contains(name)) {
        let path = directory.join(name);
        fs::remove_dir_all(&path).map_err(Error::io("cannot remove", &path))?;
    }
    Ok(())
}
