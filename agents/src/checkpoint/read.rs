//! Reading a checkpoint: everything is verified before anything is used.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{MANIFEST, Manifest};
use super::tensors::TensorReader;
use super::{migrate, shard_name};
use crate::config::RunConfig;
use crate::logging::LogState;
use crate::optimizer::{Adam, FlatLayout};
use crate::rollout::worker::SavedWorker;
use crate::saved::{Progress, SavedTrainer};
use crate::{Error, Result};

/// The files of every checkpoint beside its manifest.
const FILES: [&str; 3] = ["config.toml", "progress.json", "parameters.safetensors"];
/// The file that only training needs, beside the ranks' environments.
const OPTIMIZER: &str = "optimizer.safetensors";
/// The file with what the logs carry on; from format 3 on.
pub(super) const LOG: &str = "log.json";

/// A verified checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Its directory.
    pub path: PathBuf,
    /// The run's configuration.
    pub config: RunConfig,
    /// How far the run had come.
    pub progress: Progress,
    /// Number of the arithmetic it was made with; 0 if that was not counted yet.
    pub numerics: u32,
    parameters: Vec<u8>,
    training: Option<TrainingFiles>,
    shard: usize,
    shards: usize,
}

/// What training needs beside the parameters.
#[derive(Clone, Debug)]
pub(super) struct TrainingFiles {
    optimizer: Vec<u8>,
    workers: Vec<u8>,
    log: LogState,
}

/// Reads and verifies the checkpoint at `path`.
///
/// # Errors
/// [`Error::Checkpoint`] naming the file that is missing, damaged or of another format.
pub fn read(path: &Path) -> Result<Checkpoint> {
    read_shard(path, 0)
}

/// [`read`] with the environments of rank `shard`; with those of the first where there are not so many.
///
/// # Errors
/// As [`read`].
pub fn read_shard(path: &Path, shard: usize) -> Result<Checkpoint> {
    let manifest = Manifest::read(path)?;
    let shards = manifest.files.iter().filter(|entry| entry.name.starts_with("workers-")).count();
    let shard = if shard < shards { shard } else { 0 };
    // All of them before any is used.
    let [config, progress, parameters] = FILES.map(|name| manifest.file(path, name));
    let (config, progress, parameters) = (config?, progress?, parameters?);
    // An exported agent lists neither optimiser nor environments.
    let exported = shards == 0 && manifest.files.iter().all(|entry| entry.name != OPTIMIZER);
    let training = if exported { None } else { Some(training_files(&manifest, path, shard, shards)?) };
    let refuse = |name: &str, problem: String| Error::Checkpoint { path: path.join(name), problem };
    let config = String::from_utf8(config).map_err(|_| refuse("config.toml", "is not UTF-8".into()))?;
    let numerics = RunConfig::numerics_of(&config);
    if numerics != manifest.numerics {
        let problem = format!("is of the arithmetic {}, config.toml of {numerics}", manifest.numerics);
        return Err(refuse(MANIFEST, problem));
    }
    let table = config.parse().map_err(|error: toml::de::Error| refuse("config.toml", error.to_string()))?;
    let migrated = manifest.format < 3;
    let read = if migrated { migrate::progress(&progress) } else { serde_json::from_slice(&progress) };
    let progress = read.map_err(|error| refuse("progress.json", error.to_string()))?;
    if progress.update != manifest.update {
        let problem = format!("is of update {}, the manifest of {}", progress.update, manifest.update);
        return Err(refuse("progress.json", problem));
    }
    let config = if migrated { migrate::config(table) } else { RunConfig::from_table(migrate::saved(table)) }?;
    Ok(Checkpoint { path: path.to_path_buf(), config, progress, numerics, parameters, training, shard, shards })
}

/// Verifies the files that training needs, and keeps the environments of rank `shard`.
fn training_files(manifest: &Manifest, path: &Path, shard: usize, shards: usize) -> Result<TrainingFiles> {
    let optimizer = manifest.file(path, OPTIMIZER)?;
    let mut workers = Vec::new();
    for other in 0..shards.max(1) {
        let contents = manifest.file(path, &shard_name(other))?;
        if other == shard {
            workers = contents;
        }
    }
    let log = if manifest.format < 3 && manifest.files.iter().all(|entry| entry.name != LOG) {
        LogState::default()
    } else {
        let refuse = |error: serde_json::Error| Error::Checkpoint { path: path.join(LOG), problem: error.to_string() };
        serde_json::from_slice(&manifest.file(path, LOG)?).map_err(refuse)?
    };
    Ok(TrainingFiles { optimizer, workers, log })
}

/// The update in a checkpoint directory's name.
fn update_in(name: &str) -> Option<u64> {
    let update = name.strip_prefix("update-")?.parse().ok()?;
    (super::directory_name(update) == name).then_some(update)
}

/// Names of the checkpoint directories in `directory`, oldest first.
///
/// # Errors
/// [`Error::Io`] if the directory cannot be listed.
pub fn directory_names(directory: &Path) -> Result<Vec<String>> {
    let listing = fs::read_dir(directory).map_err(Error::io("cannot list", directory))?;
    let mut names = Vec::new();
    for entry in listing {
        let name = entry.map_err(Error::io("cannot list", directory))?.file_name();
        names.extend(name.to_str().and_then(|name| Some((update_in(name)?, name.to_string()))));
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// The newest sound checkpoint in `directory`, and why newer ones were passed over.
///
/// # Errors
/// [`Error::Checkpoint`] if there is no sound one. What is whole and cannot be used here is no damage, and going back
/// behind it would lose what it holds: [`Error::Format`] if it is of another format version,
/// [`Error::Environment`] if its environment is not in this build, [`Error::Config`] if its settings are refused.
pub fn newest(directory: &Path) -> Result<(Checkpoint, Vec<Error>)> {
    let mut damaged = Vec::new();
    let mut names = directory_names(directory)?;
    while let Some(name) = names.pop() {
        let path = directory.join(name);
        match read(&path) {
            Ok(checkpoint) => return Ok((checkpoint, damaged)),
            // Its run went on since the directory was listed, and has newer ones.
            Err(_) if !path.exists() => (names, damaged) = (directory_names(directory)?, Vec::new()),
            Err(error @ Error::Checkpoint { .. }) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    let problem = match damaged.first() {
        Some(error) => format!("holds no sound checkpoint; the newest: {error}"),
        None => "holds no checkpoint".to_string(),
    };
    Err(Error::Checkpoint { path: directory.to_path_buf(), problem })
}

/// The newest checkpoint of a run (of a supervised task the best one), the checkpoint itself, or the one that a pointer
/// file names (`checkpoints/best`, `checkpoints/latest`). A damaged one is refused: a measurement must be of what was
/// asked for.
///
/// # Errors
/// [`Error::Checkpoint`] if there is none, or it is damaged.
pub fn find(path: &Path) -> Result<Checkpoint> {
    let checkpoints = path.join("checkpoints");
    if !checkpoints.is_dir() {
        return match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
            (Some(directory), Some(name)) if path.is_file() => named_by(directory, name),
            _ if !path.exists() => Err(Error::Checkpoint {
                path: path.to_path_buf(),
                problem: "there is no such run or checkpoint".into(),
            }),
            _ if !path.join(MANIFEST).exists() => {
                let problem = match path.join("config.toml").is_file() {
                    true => "has no checkpoint yet",
                    false => "holds neither a run nor a checkpoint",
                };
                Err(Error::Checkpoint { path: path.to_path_buf(), problem: problem.into() })
            }
            _ => read(path),
        };
    }
    let (checkpoint, damaged) = newest(&checkpoints)?;
    if let (RunConfig::Supervised(_), Some(best)) = (&checkpoint.config, best(&checkpoints)?) {
        return Ok(best);
    }
    match damaged.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(checkpoint),
    }
}

/// The checkpoint in `directory` that the pointer file `best` names; none without that file.
///
/// # Errors
/// [`Error::Checkpoint`] if that checkpoint is missing or damaged.
pub fn best(directory: &Path) -> Result<Option<Checkpoint>> {
    if directory.join("best").is_file() { named_by(directory, "best").map(Some) } else { Ok(None) }
}

/// The best checkpoint of a run.
///
/// # Errors
/// [`Error::Checkpoint`] if none is known to be, or it is missing or damaged.
pub fn best_of_run(run: &Path) -> Result<Checkpoint> {
    let checkpoints = run.join("checkpoints");
    let unknown = || Error::Checkpoint {
        path: checkpoints.join("best"),
        problem: "is missing: no evaluation has told which checkpoint is the best; take the newest".into(),
    };
    best(&checkpoints)?.ok_or_else(unknown)
}

/// The checkpoint that a pointer file names.
fn named_by(directory: &Path, pointer: &str) -> Result<Checkpoint> {
    let path = directory.join(pointer);
    let text = fs::read_to_string(&path).map_err(Error::io("cannot read", &path))?;
    let name = text.trim();
    if update_in(name).is_none() {
        let said: String = name.chars().take(40).collect();
        return Err(Error::Checkpoint { path, problem: format!("names {said:?}, which is no checkpoint") });
    }
    read(&directory.join(name))
}

impl Checkpoint {
    /// How many ranks trained together when it was written.
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// The contents of `parameters.safetensors`.
    pub(super) fn parameter_file(&self) -> &[u8] {
        &self.parameters
    }

    /// The parameters, flat in `layout`'s order.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if one is missing or of another shape.
    pub fn parameters(&self, layout: &FlatLayout) -> Result<Vec<f32>> {
        let path = self.path.join("parameters.safetensors");
        let tensors = TensorReader::new(&path, &self.parameters)?;
        flat(&tensors, layout, "")
    }

    /// The files that training needs.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is an exported agent.
    pub(super) fn for_training(&self) -> Result<&TrainingFiles> {
        self.training.as_ref().ok_or_else(|| {
            let problem = "is an exported agent, without optimiser and environments: evaluate it, or resume its run";
            Error::Checkpoint { path: self.path.clone(), problem: problem.into() }
        })
    }

    /// Everything a trainer needs to continue.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if something is missing or does not fit the configuration.
    pub fn trainer(&self, layout: &FlatLayout) -> Result<SavedTrainer> {
        let TrainingFiles { optimizer, workers: environments, log } = self.for_training()?;
        let path = self.path.join(OPTIMIZER);
        let tensors = TensorReader::new(&path, optimizer)?;
        let step = *tensors.u64("step")?.first().ok_or_else(|| tensors.refuse("`step` is empty".into()))?;
        let adam = Adam {
            first_moment: flat(&tensors, layout, "first_moment.")?,
            second_moment: flat(&tensors, layout, "second_moment.")?,
            step,
        };
        let parameters = self.parameters(layout)?;
        let workers = workers(&self.path.join(shard_name(self.shard)), environments)?;
        Ok(SavedTrainer { progress: self.progress.clone(), parameters, adam, workers, log: log.clone() })
    }
}

/// The workers in the contents of a `workers-…` file; `path` is for messages.
///
/// # Errors
/// [`Error::Checkpoint`] if one of them is missing something.
pub fn workers(path: &Path, contents: &[u8]) -> Result<Vec<SavedWorker>> {
    let tensors = TensorReader::new(path, contents)?;
    let count = *tensors.u64("workers")?.first().ok_or_else(|| tensors.refuse("`workers` is empty".into()))?;
    let worker = |i: u64| -> Result<SavedWorker> {
        let streams = postcard::from_bytes(&tensors.u8(&format!("{i}.action_streams"))?)
            .map_err(|error| tensors.refuse(format!("`{i}.action_streams`: {error}")))?;
        let noise = format!("{i}.noise");
        // Only where noise is correlated.
        let noise = if tensors.names().contains(&&*noise) { tensors.any_f32(&noise)? } else { Vec::new() };
        Ok(SavedWorker {
            noise,
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

fn flat(tensors: &TensorReader<'_>, layout: &FlatLayout, prefix: &str) -> Result<Vec<f32>> {
    let mut flat = Vec::with_capacity(layout.len());
    for (name, shape, _) in layout.entries() {
        flat.extend(tensors.f32(&format!("{prefix}{name}"), shape)?);
    }
    Ok(flat)
}
