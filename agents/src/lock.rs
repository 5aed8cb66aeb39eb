//! One process per run directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Name of the lock file in a run directory.
pub const LOCK: &str = "run.lock";

/// Longest lock file that is read.
const MAX_BYTES: u64 = 4096;

/// A run directory held by this process.
///
/// The lock is the operating system's, on a file that also says who holds it: it ends with the process, however that
/// ends, so that a file left behind is stale and taken over. Where a file system has no locks, the process named in
/// the file decides.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    stale: Option<Owner>,
}

/// Who holds a run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process.
    pub pid: u32,
    /// Machine.
    pub host: String,
}

impl Owner {
    fn this_process() -> Self {
        Self { pid: std::process::id(), host: gethostname::gethostname().to_string_lossy().into_owned() }
    }

    /// Whether the process still runs; unknown on another machine or system.
    fn runs(&self) -> Option<bool> {
        let here = self.host == Self::this_process().host && cfg!(target_os = "linux");
        here.then(|| Path::new("/proc").join(self.pid.to_string()).exists())
    }
}

impl RunLock {
    /// Takes `directory`, which must exist.
    ///
    /// # Errors
    /// [`Error::RunDirectory`] if another process has it, [`Error::Io`] if the lock file cannot be written.
    pub fn take(directory: &Path) -> Result<Self> {
        let path = directory.join(LOCK);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(Error::io("cannot open", &path))?;
        let locked = file.try_lock();
        let owner = owner(&mut file);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(directory, owner.as_ref())),
            // No locks on this file system.
            Err(TryLockError::Error(_)) => match owner.as_ref().map(|owner| (owner, owner.runs())) {
                None | Some((_, Some(false))) => {}
                Some((owner, Some(true))) => return Err(in_use(directory, Some(owner))),
                Some((owner, None)) => return Err(perhaps_in_use(directory, &path, owner)),
            },
        }
        write_owner(&mut file).map_err(Error::io("cannot write", &path))?;
        Ok(Self { file, stale: owner })
    }

    /// The process that held the directory last and ended without giving it back, e.g. by `kill -9`.
    pub fn stale(&self) -> Option<&Owner> {
        self.stale.as_ref()
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // An empty file says that the directory was given back; removing it would race with the next process.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Who the file names, if it is whole.
fn owner(file: &mut File) -> Option<Owner> {
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn write_owner(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(&Owner::this_process())?)
}

fn in_use(directory: &Path, owner: Option<&Owner>) -> Error {
    let problem = match owner {
        Some(Owner { pid, host }) => format!("is in use by process {pid} on {host}: wait for it, or stop it first"),
        None => "is in use by another process: wait for it, or stop it first".into(),
    };
    Error::RunDirectory { path: directory.to_path_buf(), problem }
}

fn perhaps_in_use(directory: &Path, lock: &Path, owner: &Owner) -> Error {
    let Owner { pid, host } = owner;
    let problem = format!(
        "may be in use by process {pid} on {host}, which cannot be told from here: if that has ended, remove {}",
        lock.display()
    );
    Error::RunDirectory { path: directory.to_path_buf(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_refused_with_the_first_ones_pid() {
        let directory = tempfile::tempdir().unwrap();
        let lock = RunLock::take(directory.path()).unwrap();
        assert_eq!(lock.stale(), None);
        let refused = RunLock::take(directory.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("in use by process {} on", std::process::id())), "{refused}");
        drop(lock);
        assert_eq!(RunLock::take(directory.path()).unwrap().stale(), None, "given back");
    }

    #[test]
    fn a_lock_file_left_behind_is_stale() {
        let directory = tempfile::tempdir().unwrap();
        let owner = Owner { pid: 4_000_000_000, host: "node7".into() };
        std::fs::write(directory.path().join(LOCK), serde_json::to_vec(&owner).unwrap()).unwrap();
        assert_eq!(RunLock::take(directory.path()).unwrap().stale(), Some(&owner));
        for torn in ["", "{\"pid\": 12", "\u{0}\u{0}\u{0}"] {
            std::fs::write(directory.path().join(LOCK), torn).unwrap();
            assert_eq!(RunLock::take(directory.path()).unwrap().stale(), None, "{torn:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_runs_is_told_from_one_that_does_not() {
        let here = Owner::this_process();
        assert_eq!(here.runs(), Some(true));
        assert_eq!(Owner { pid: 4_000_000_000, ..here.clone() }.runs(), Some(false));
        assert_eq!(Owner { host: "elsewhere.example".into(), ..here }.runs(), None);
    }
}
