//! The Python that runs the environments.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What a worker process runs: the files of the folder `python`, one after the other.
pub(super) const PROGRAM: &str = concat!(
    include_str!("python/start.py"),
    include_str!("python/settings.py"),
    include_str!("python/spaces.py"),
    include_str!("python/saving.py"),
    include_str!("python/checks.py"),
    include_str!("python/worker.py"),
);

static CHOSEN: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Chooses the interpreter of all environments that this process makes from now on.
pub fn use_python(interpreter: impl Into<PathBuf>) {
    *CHOSEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(interpreter.into());
}

/// The interpreter: the one chosen, by [`use_python`] or else by `STPN_PYTHON`; that of the virtual environment which is
/// active; or `python3`.
pub fn python() -> PathBuf {
    let chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let chosen = chosen.or_else(|| std::env::var_os("STPN_PYTHON").map(PathBuf::from));
    let active = || std::env::var_os("VIRTUAL_ENV").map(|folder| PathBuf::from(folder).join("bin/python"));
    chosen.or_else(active).unwrap_or_else(|| "python3".into())
}
