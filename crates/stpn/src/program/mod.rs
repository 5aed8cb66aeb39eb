//! The program that this process runs: what it was called with, and how it starts itself again.
//!
//! It is an executable of its own, unless something else has the command line inside, as Python may have.

pub(crate) mod words;

use std::ffi::OsString;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Another program that has the command line inside.
static HOST: OnceLock<Host> = OnceLock::new();

/// Whether this program has the command line, so that it understands one of its commands.
static ENTERED: AtomicBool = AtomicBool::new(false);

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

/// Says that this program has the command line.
pub(crate) fn enter() {
    ENTERED.store(true, Ordering::Relaxed);
}

/// Name and arguments of the command line.
pub(crate) fn arguments() -> Vec<OsString> {
    HOST.get().map_or_else(|| std::env::args_os().collect(), |host| host.arguments.clone())
}

/// This program once more, to be given its arguments. Environments of Python run in the Python of this process.
///
/// # Errors
/// [`Error::Unfit`] in a program without the command line, which would do something else; and if the executable cannot
/// be found.
pub(crate) fn again() -> Result<Command> {
    if !ENTERED.load(Ordering::Relaxed) {
        let problem = "this starts the present program again, for runs in processes of their own, but the program does \
                       not have the command line: its `main` must be `stpn::cli::main_with`";
        return Err(Error::Unfit(problem.into()));
    }
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

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_without_the_command_line_was_started_again_and_again() {
        let error = super::again().unwrap_err().to_string();
        assert!(error.contains("main_with"), "{error}");
    }
}
