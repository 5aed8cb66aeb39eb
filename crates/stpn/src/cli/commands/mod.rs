//! The subcommands, one a file.

pub mod bench;
pub mod check_env;
pub mod compare;
pub mod config;
pub mod doctor;
pub mod draw;
pub mod eval;
pub mod explain;
pub mod export;
pub mod list;
pub mod play;
pub mod report;
pub mod reproduce;
pub mod resume;
pub mod shell;
pub mod train;
mod training;
pub mod tune;
mod watching;

use std::path::{Path, PathBuf};

use stpn_agents::lock::RunLock;

use crate::{Error, Result};

/// Where a command writes what it makes of an experiment, if nobody says where: `runs/COMMAND-EXPERIMENT`.
fn default_directory(command: &str, experiment: &str) -> PathBuf {
    Path::new("runs").join(format!("{command}-{}", stem(experiment)))
}

/// Takes a directory into which a command puts several runs, made if there is none, from other processes that would do
/// the same.
///
/// # Errors
/// Fails, naming the process, if another one has it.
fn lock(directory: &Path) -> Result<RunLock> {
    std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
    Ok(RunLock::take(directory)?)
}

/// The name of an experiment without the path and the ending that a file has.
fn stem(experiment: &str) -> &str {
    Path::new(experiment).file_stem().and_then(|stem| stem.to_str()).unwrap_or("experiment")
}
