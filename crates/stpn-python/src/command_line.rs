//! The command line, in Python's process.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use pyo3::prelude::*;
use stpn::cli::{Host, main_in};

/// Runs the command `arguments`, the first of which is the program's name, and returns its exit code. `executable` is
/// the Python that runs, by which a command starts others.
#[pyfunction]
pub fn run(py: Python<'_>, arguments: Vec<OsString>, executable: OsString) -> u8 {
    py.detach(|| {
        let host = Host { arguments, executable, before: ["-m".into(), "stpn".into()].into() };
        let code = main_in(host, |_| Ok(()));
        // Whatever ends the process, it is not this library's end, which would do it.
        let _ = std::io::stdout().flush();
        number(code)
    })
}

/// An exit code as a number, which its type does not tell.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == code).unwrap_or(1)
}
