//! The one error type of this crate.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can go wrong in training, evaluating, saving or resuming an agent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation of candle failed.
    #[error("tensor operation failed: {0}")]
    Candle(#[from] candle_core::Error),

    /// A cell refused its configuration or input.
    #[error(transparent)]
    Core(#[from] stpn_core::Error),

    /// This program has no kernels for the device.
    #[error("training.device: \"{device}\" is not in this program, which is built without the feature `{feature}`")]
    NotBuilt {
        /// The device, as configurations name it.
        device: String,
        /// The feature with which programs have it.
        feature: &'static str,
    },

    /// A CUDA device failed, or cannot be used.
    #[cfg(feature = "cuda")]
    #[error("training.device: {0}")]
    Cuda(#[from] stpn_cuda::Error),

    /// An environment showed something else than it did in advance.
    #[error(
        "environment {environment} did not show at step {step} of the rollout what it had shown in advance: its \
         `ignores_actions` or `echoes_actions` must say no, or its saved states are not exact. Until then, set \
         training.device to \"cpu\""
    )]
    NotForeseen {
        /// Its number.
        environment: usize,
        /// The step.
        step: usize,
    },

    /// An environment behaved differently on a device and here.
    #[error(
        "environment {environment} behaved differently on the device and on the CPU, at step {step} of the rollout: this \
         is a fault of stpn. Set training.device to \"cpu\", and please report it"
    )]
    Differs {
        /// Its number.
        environment: usize,
        /// The step.
        step: usize,
    },

    /// An environment failed.
    #[error(transparent)]
    Environment(#[from] stpn_envs::Error),

    /// A configuration value is impossible, of the wrong type, or unknown.
    #[error("configuration: {key}: {problem}")]
    Config {
        /// The key, dotted.
        key: String,
        /// What is wrong with it and what is allowed.
        problem: String,
    },

    /// A key of a configuration does nothing beside the others.
    #[error("configuration: {key}: {problem}")]
    Unused {
        /// The key, dotted.
        key: String,
        /// Why, and what is to be set for it to act.
        problem: String,
    },

    /// Reading or writing a file failed.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried, e.g. `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A checkpoint or one of its files cannot be used.
    #[error("checkpoint {path}: {problem}")]
    Checkpoint {
        /// The checkpoint or the file in it.
        path: PathBuf,
        /// Why, with a remedy where there is one.
        problem: String,
    },

    /// A checkpoint of a format version that this stpn does not read.
    #[error(
        "checkpoint {path}: has format {found}{}; this stpn reads formats {oldest} to {newest}: use the stpn that wrote \
         it",
        written_by(.stpn)
    )]
    Format {
        /// The manifest.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// Version of the stpn that wrote it; empty if it does not say.
        stpn: String,
        /// The oldest format version that is read.
        oldest: u32,
        /// The newest.
        newest: u32,
    },

    /// A loss, gradient or parameter stopped being finite.
    #[error("{what} is not finite at update {update}: {remedy}")]
    NotFinite {
        /// The quantity.
        what: String,
        /// The update that failed, counted from 1.
        update: u64,
        /// What to try.
        remedy: String,
    },

    /// The update under way was given up, as was asked by a [`Stop`](crate::Stop).
    #[error("the update under way was given up, as asked")]
    Stopped,

    /// The run directory cannot be used as asked.
    #[error("run directory {path}: {problem}")]
    RunDirectory {
        /// The directory.
        path: PathBuf,
        /// Why, with a remedy where there is one.
        problem: String,
    },

    /// A run was to be started where there is one.
    #[error("run directory {path}: holds a run already ({found}): give another, or resume this one")]
    RunExists {
        /// The directory.
        path: PathBuf,
        /// A file of that run.
        found: String,
    },

    /// A run was to be used where there is none.
    #[error("run directory {path}: holds no run: it has neither checkpoints nor a config.toml")]
    NoRun {
        /// The directory.
        path: PathBuf,
    },

    /// Another process of the job failed.
    #[error("rank {rank} failed: {message}")]
    OtherRank {
        /// Which one.
        rank: usize,
        /// What it said.
        message: String,
    },

    /// MPI could not be used.
    #[error("MPI: {problem}")]
    Mpi {
        /// Why, with a remedy where there is one.
        problem: String,
    },

    /// A checkpoint could not be written.
    #[error(
        "the checkpoint of update {update} was not written: {reason}. {left}. Remove the cause, then resume the run"
    )]
    NotSaved {
        /// The run's directory.
        run: PathBuf,
        /// The checkpoint's update.
        update: u64,
        /// What checkpoint the run has.
        left: String,
        /// Why.
        reason: Box<Error>,
    },

    /// The thread pool could not be made.
    #[error("cannot start worker threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),

    /// A thread could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

fn written_by(stpn: &str) -> String {
    if stpn.is_empty() { String::new() } else { format!(" (written by stpn {stpn})") }
}

impl Error {
    /// An I/O error with the file it happened on.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A refused configuration key.
    pub fn config(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { key: key.into(), problem: problem.into() }
    }
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
