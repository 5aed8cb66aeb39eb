//! What a run directory holds: whether it can be used, its configuration, its newest checkpoint.

use std::fs;
use std::path::Path;

use super::changes::{self, CONFIG};
use crate::checkpoint::manifest::MANIFEST;
use crate::checkpoint::{self, Checkpoint, staging};
use crate::collective::Collective;
use crate::config::RunConfig;
use crate::lock::RunLock;
use crate::logging::jsonl::last_update;
use crate::{Error, Result};

/// The error of a checkpoint that could not be written, with what the run still has.
pub(super) fn not_saved(directory: &Path, update: u64, reason: Error) -> Error {
    let names = checkpoint::read::directory_names(&directory.join("checkpoints")).unwrap_or_default();
    let left = match names.last() {
        Some(name) => format!("The run's last one, {name}, is intact"),
        None => "The run has none yet".to_string(),
    };
    Error::NotSaved { run: directory.to_path_buf(), update, left, reason: Box::new(reason) }
}

/// Refuses a directory with anything in it that a run would write. The lock of a run that ended before it began is no
/// such thing, and files of others, a log that the shell redirects there for one, are not touched.
pub(super) fn refuse_used(directory: &Path) -> Result<()> {
    refuse_checkpoint(directory)?;
    for entry in fs::read_dir(directory).map_err(Error::io("cannot list", directory))? {
        let name = entry.map_err(Error::io("cannot list", directory))?.file_name();
        let name = name.to_string_lossy();
        if OURS.contains(&name.as_ref()) || name.contains("tfevents") {
            return Err(Error::RunExists { path: directory.to_path_buf(), found: name.into_owned() });
        }
    }
    Ok(())
}

/// What a run writes into its directory, beside its lock and event files.
const OURS: [&str; 4] = [CONFIG, "checkpoints", "metrics.jsonl", "test.json"];

/// Whether there is a run in `directory` that can be resumed, from a checkpoint or from its beginning.
pub fn holds_run(directory: &Path) -> bool {
    directory.join("checkpoints").is_dir() || directory.join(CONFIG).is_file()
}

fn refuse_no_run(directory: &Path) -> Result<()> {
    refuse_checkpoint(directory)?;
    if holds_run(directory) {
        return Ok(());
    }
    match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Error::io("cannot list", directory)(error))
        }
        _ => Err(Error::NoRun { path: directory.to_path_buf() }),
    }
}

/// Refuses a checkpoint's directory: a run in it would take the checkpoint's place.
fn refuse_checkpoint(directory: &Path) -> Result<()> {
    if !directory.join(MANIFEST).is_file() {
        return Ok(());
    }
    let whole = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let run = whole.parent().filter(|parent| parent.file_name().is_some_and(|name| name == "checkpoints"));
    let problem = match run.and_then(Path::parent) {
        Some(run) => format!("is a checkpoint, and no run: name the run that it belongs to, {}", run.display()),
        None => "is a checkpoint, and no run: there is nothing to go on with".to_string(),
    };
    Err(Error::RunDirectory { path: directory.to_path_buf(), problem })
}

/// Refuses to begin a run again whose checkpoints have gone: its log tells of more updates than there are between two
/// checkpoints.
pub(super) fn refuse_lost_checkpoints(directory: &Path, config: &RunConfig) -> Result<()> {
    let logged = last_update(&directory.join("metrics.jsonl"))?;
    if logged.is_none_or(|update| update <= config.checkpoint().every) {
        return Ok(());
    }
    let problem = format!(
        "its metrics.jsonl goes to update {}, but its checkpoints have gone: put the folder `checkpoints` back, or start \
         another run",
        logged.unwrap_or(0)
    );
    Err(Error::RunDirectory { path: directory.to_path_buf(), problem })
}

/// Takes hold of a run that is there, and removes what a process that was killed left unfinished.
pub(super) fn lock_run(directory: &Path, checkpoints: &Path) -> Result<RunLock> {
    refuse_no_run(directory)?;
    let lock = RunLock::take(directory)?;
    staging::clean(checkpoints)?;
    Ok(lock)
}

/// What is to be said where a checkpoint was made with another arithmetic than the run goes on with.
pub(super) fn other_numerics(made_with: u32, here: u32, update: u64) -> Option<String> {
    let made_with = match made_with {
        same if same == here => return None,
        0 => "a number not yet counted".to_string(),
        number => format!("number {number}"),
    };
    Some(format!(
        "the checkpoint after update {update} was made with another arithmetic, {made_with}, than that of this program \
         and device, number {here}: the run goes on, but not bit for bit as it would have with the program and the \
         device that began it"
    ))
}

/// The newest sound checkpoint, where there is any at all, and what was passed over.
pub(super) fn newest(checkpoints: &Path) -> Result<(Option<Checkpoint>, Vec<Error>)> {
    if !has_checkpoints(checkpoints)? {
        return Ok((None, Vec::new()));
    }
    checkpoint::newest(checkpoints).map(|(checkpoint, damaged)| (Some(checkpoint), damaged))
}

/// The checkpoint that the first rank found, on every rank with its own environments.
pub(super) fn same_checkpoint(
    found: Option<Checkpoint>,
    checkpoints: &Path,
    ranks: &dyn Collective,
) -> Result<Option<Checkpoint>> {
    let update = found.as_ref().map(|checkpoint| checkpoint.progress.update.to_string()).unwrap_or_default();
    let first = ranks.gather_bytes(update.as_bytes()).into_iter().next().unwrap_or_default();
    if ranks.is_root() || first.is_empty() {
        return Ok(found);
    }
    let update = String::from_utf8_lossy(&first).parse().unwrap_or(0);
    checkpoint::read_shard(&checkpoints.join(checkpoint::directory_name(update)), ranks.rank()).map(Some)
}

fn has_checkpoints(directory: &Path) -> Result<bool> {
    Ok(directory.is_dir() && !checkpoint::read::directory_names(directory)?.is_empty())
}

/// Where a run is, and how it goes on unless its configuration is changed.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The configuration.
    pub config: RunConfig,
    /// Updates done at its newest sound checkpoint; 0 if it has none.
    pub update: u64,
}

/// What is saved of the run in `directory`.
///
/// # Errors
/// [`Error::NoRun`] if there is none, [`Error::Checkpoint`] if its checkpoints cannot be used,
/// [`Error::Config`] if it has none and its `config.toml` is not sound.
pub fn saved(directory: &Path) -> Result<Saved> {
    refuse_no_run(directory)?;
    let checkpoints = directory.join("checkpoints");
    if has_checkpoints(&checkpoints)? {
        let checkpoint = checkpoint::newest(&checkpoints)?.0;
        let update = checkpoint.progress.update;
        let config = changes::recorded(directory, update)?.unwrap_or(checkpoint.config);
        return Ok(Saved { config, update });
    }
    Ok(Saved { config: read_config(&directory.join(CONFIG))?, update: 0 })
}

/// The configuration with which the run in `directory` goes on, unless it is changed.
///
/// # Errors
/// As [`saved`].
pub fn saved_config(directory: &Path) -> Result<RunConfig> {
    saved(directory).map(|saved| saved.config)
}

pub(super) fn read_config(path: &Path) -> Result<RunConfig> {
    let text = fs::read_to_string(path).map_err(Error::io("cannot read", path))?;
    let table =
        text.parse().map_err(|error: toml::de::Error| Error::config(path.display().to_string(), error.to_string()))?;
    RunConfig::from_table(checkpoint::saved_config(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_with_another_arithmetic_is_said() {
        assert_eq!(other_numerics(4, 4, 7), None);
        for (number, words) in [(5, "number 5"), (1004, "number 1004"), (0, "not yet counted")] {
            let said = other_numerics(number, 4, 7).expect("another number");
            assert!(said.contains(words) && said.contains("number 4:") && said.contains("update 7"), "{said}");
        }
    }
}
