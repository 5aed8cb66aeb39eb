//! Reading a checkpoint: everything is verified before anything is used.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::tensors::TensorReader;
use crate::config::RunConfig;
use crate::optimizer::{Adam, FlatLayout};
use crate::rollout::worker::SavedWorker;
use crate::trainer::{Progress, SavedTrainer};
use crate::{Error, Result};

/// A verified checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Its directory.
    pub path: PathBuf,
    /// The run's configuration.
    pub config: RunConfig,
    /// How far the run had come.
    pub progress: Progress,
    parameters: Vec<u8>,
    optimizer: Vec<u8>,
    workers: Vec<u8>,
}

/// Reads and verifies the checkpoint at `path`.
///
/// # Errors
/// [`Error::Checkpoint`] naming the file that is missing, damaged or of another format.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let manifest = Manifest::read(path)?;
    let refuse = |name: &str, problem: String| Error::Checkpoint { path: path.join(name), problem };
    let config = String::from_utf8(manifest.file(path, "config.toml")?)
        .map_err(|_| refuse("config.toml", "is not UTF-8".into()))?;
    let table = config.parse().map_err(|error: toml::de::Error| refuse("config.toml", error.to_string()))?;
    let progress = serde_json::from_slice(&manifest.file(path, "progress.json")?)
        .map_err(|error| refuse("progress.json", error.to_string()))?;
    Ok(Checkpoint {
        path: path.to_path_buf(),
        config: RunConfig::from_table(table)?,
        progress,
        parameters: manifest.file(path, "parameters.safetensors")?,
        optimizer: manifest.file(path, "optimizer.safetensors")?,
        workers: manifest.file(path, "workers-00000.safetensors")?,
    })
}

/// Names of the checkpoint directories in `directory`.
///
/// # Errors
/// [`Error::Io`] where the directory cannot be listed.
pub fn directory_names(directory: &Path) -> Result<Vec<String>> {
    let listing = fs::read_dir(directory).map_err(Error::io("cannot list", directory))?;
    let mut names = Vec::new();
    for entry in listing {
        let name = entry.map_err(Error::io("cannot list", directory))?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.starts_with("update-")) {
            names.push(name.to_string());
        }
    }
    Ok(names)
}

/// The newest sound checkpoint in `directory`, and why newer ones were passed over.
///
/// # Errors
/// [`Error::Checkpoint`] where there is no sound one.
pub fn newest(directory: &Path) -> Result<(Checkpoint, Vec<Error>)> {
    let mut names = directory_names(directory)?;
    names.sort_unstable();
    let mut damaged = Vec::new();
    for name in names.iter().rev() {
        match read(&directory.join(name)) {
            Ok(checkpoint) => return Ok((checkpoint, damaged)),
            Err(error) => damaged.push(error),
        }
    }
    let problem = match damaged.first() {
        Some(error) => format!("holds no sound checkpoint; the newest: {error}"),
        None => "holds no checkpoint".to_string(),
    };
    Err(Error::Checkpoint { path: directory.to_path_buf(), problem })
}

/// The checkpoint in `directory` that the pointer file `best` names; none without that file.
///
/// # Errors
/// [`Error::Checkpoint`] where that checkpoint is missing or damaged.
pub fn best(directory: &Path) -> Result<Option<Checkpoint>> {
    match fs::read_to_string(directory.join("best")) {
        Ok(name) => read(&directory.join(name.trim())).map(Some),
        Err(_) => Ok(None),
    }
}

impl Checkpoint {
    /// The parameters, flat in `layout`'s order.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where one is missing or of another shape.
    pub fn parameters(&self, layout: &FlatLayout) -> Result<Vec<f32>> {
        let path = self.path.join("parameters.safetensors");
        let tensors = TensorReader::new(&path, &self.parameters)?;
        flat(&tensors, layout, "")
    }

    /// Everything a trainer needs to continue.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where something is missing or does not fit the configuration.
    pub fn trainer(&self, layout: &FlatLayout) -> Result<SavedTrainer> {
        let path = self.path.join("optimizer.safetensors");
        let tensors = TensorReader::new(&path, &self.optimizer)?;
        let step = *tensors.u64("step")?.first().ok_or_else(|| tensors.refuse("`step` is empty".into()))?;
        let adam = Adam {
            first_moment: flat(&tensors, layout, "first_moment.")?,
            second_moment: flat(&tensors, layout, "second_moment.")?,
            step,
        };
        let parameters = self.parameters(layout)?;
        Ok(SavedTrainer { progress: self.progress.clone(), parameters, adam, workers: self.workers()? })
    }

    fn workers(&self) -> Result<Vec<SavedWorker>> {
        let path = self.path.join("workers-00000.safetensors");
        let tensors = TensorReader::new(&path, &self.workers)?;
        let count = *tensors.u64("workers")?.first().ok_or_else(|| tensors.refuse("`workers` is empty".into()))?;
        let worker = |i: u64| -> Result<SavedWorker> {
            let streams = postcard::from_bytes(&tensors.u8(&format!("{i}.action_streams"))?)
                .map_err(|error| tensors.refuse(format!("`{i}.action_streams`: {error}")))?;
            Ok(SavedWorker {
                environments: tensors.u8(&format!("{i}.environments"))?,
                streams,
                episode_starts: tensors.u8(&format!("{i}.episode_starts"))?,
                state: tensors.any_f32(&format!("{i}.recurrent_state"))?,
                discounted_returns: tensors.any_f32(&format!("{i}.discounted_returns"))?,
                observations: tensors.observations(&format!("{i}.observations"))?,
            })
        };
        (0..count).map(worker).collect()
    }
}

fn flat(tensors: &TensorReader<'_>, layout: &FlatLayout, prefix: &str) -> Result<Vec<f32>> {
    let mut flat = Vec::with_capacity(layout.len());
    for (name, shape, _) in layout.entries() {
        flat.extend(tensors.f32(&format!("{prefix}{name}"), shape)?);
    }
    Ok(flat)
}
