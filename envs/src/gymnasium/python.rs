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

static OWN: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Chooses the interpreter of all environments that this process makes from now on.
pub fn use_python(interpreter: impl Into<PathBuf>) {
    *CHOSEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(interpreter.into());
}

/// Says that this process is itself Python, and of which interpreter: what is installed for it, environments have too.
pub fn runs_in_python(interpreter: impl Into<PathBuf>) {
    *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(interpreter.into());
}

/// The interpreter: the one chosen, by [`use_python`] or else by `STPN_PYTHON`; that of this process
/// ([`runs_in_python`]); that of the virtual environment which is active; or `python3`.
pub fn python() -> PathBuf {
    let said = |by: &Mutex<Option<PathBuf>>| by.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let named = said(&CHOSEN).or_else(|| std::env::var_os("STPN_PYTHON").map(PathBuf::from));
    let active = || std::env::var_os("VIRTUAL_ENV").map(|folder| PathBuf::from(folder).join("bin/python"));
    named.or_else(|| said(&OWN)).or_else(active).unwrap_or_else(|| "python3".into())
}
