//! The program that this process runs: what it was called with, and how it starts itself again.
//!
//! It is an executable of its own, unless something else has the command line inside, as Python may have.

use std::ffi::OsString;
use std::process::Command;
use std::sync::OnceLock;

use crate::{Error, Result};

/// Another program that has the command line inside.
static HOST: OnceLock<Host> = OnceLock::new();

/// What a program that contains the command line says of itself, for [`crate::cli::main_in`].
#[derive(Clone, Debug)]
pub struct Host {
    /// What the command line was called with, its name first.
    pub arguments: Vec<OsString>,
    /// The executable that contains it.
    pub executable: OsString,
    /// What this executable is given before the arguments of the command line.
    pub before: Vec<OsString>,
}

impl Host {
    /// Takes the place of the executable; of several, the first does.
    pub(crate) fn take_place(self) {
        HOST.get_or_init(|| self);
    }
}

/// Name and arguments of the command line.
pub(crate) fn arguments() -> Vec<OsString> {
    HOST.get().map_or_else(|| std::env::args_os().collect(), |host| host.arguments.clone())
}

/// This program once more, to be given its arguments. Environments of Python run in the Python of this process.
///
/// # Errors
/// Fails if the executable cannot be found.
pub(crate) fn again() -> Result<Command> {
    let mut command = match HOST.get() {
        Some(host) => {
            let mut command = Command::new(&host.executable);
            command.args(&host.before);
            command
        }
        None => Command::new(std::env::current_exe().map_err(Error::system("cannot find this program"))?),
    };
    #[cfg(unix)]
    command.env("STPN_PYTHON", stpn_envs::gymnasium::python());
    Ok(command)
}
