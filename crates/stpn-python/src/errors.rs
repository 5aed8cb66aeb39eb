//! Errors as Python raises them.

use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};

/// The exception has the name by which Python imports it: pickle looks it up there.
mod exception {
    pyo3::create_exception!(
        stpn,
        Error,
        pyo3::exceptions::PyException,
        "What goes wrong in stpn, a run or an agent that is not there included. Wrong arguments are a ValueError; a file \
         that cannot be read or written is an OSError."
    );
}

pub use exception::Error as StpnError;

/// What the process of an environment says of a module that it may not import: it knows no kinds of errors.
const NOT_IMPORTED: &str = "which env.import asks for, is no package that is installed";

/// An error of the library.
pub fn raised(error: stpn::agents::Error) -> PyErr {
    use stpn::agents::Error;
    use stpn::envs::Error::{Foreign, Untrusted};
    let mut text = error.to_string();
    let untrusted = matches!(&error, Error::Environment(Untrusted { .. } | Foreign { .. }));
    if untrusted || text.contains(NOT_IMPORTED) {
        text.push_str("; if you trust who wrote it: trust_env_code=True");
    }
    match &error {
        Error::Config { .. } | Error::Core(stpn::cells::Error::Config { .. } | stpn::cells::Error::Shape { .. }) => {
            PyValueError::new_err(text)
        }
        Error::Environment(inner) if refuses(inner) => PyValueError::new_err(text),
        Error::Io { .. } => PyOSError::new_err(text),
        _ => StpnError::new_err(text),
    }
}

/// An error of an environment.
pub fn raised_by_env(error: stpn::envs::Error) -> PyErr {
    raised(error.into())
}

/// An error of a cell.
pub fn raised_by_cell(error: stpn::cells::Error) -> PyErr {
    raised(error.into())
}

/// A wrong argument.
pub fn wrong(problem: impl Into<String>) -> PyErr {
    PyValueError::new_err(problem.into())
}

/// Whether an environment refuses what it was given, and is not itself at fault.
fn refuses(error: &stpn::envs::Error) -> bool {
    use stpn::envs::Error;
    matches!(
        error,
        Error::Config { .. }
            | Error::NotBuilt { .. }
            | Error::UnknownEnvironment { .. }
            | Error::Action { .. }
            | Error::Buffer { .. }
    )
}
