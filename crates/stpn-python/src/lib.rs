//! The compiled half of the Python package `stpn`: the other half, in `python/stpn`, is what users import.
//!
//! What takes long runs without Python's global lock, on threads of this module's own ([`threads`]). Arrays of numpy
//! are read and written where they lie.

#![forbid(unsafe_code)]

mod agent;
mod arrays;
mod command_line;
mod environment;
mod errors;
mod layer;
mod memory;
mod spaces;
mod tables;
mod threads;
mod training;
mod vector;

#[cfg(unix)]
use std::path::PathBuf;

use pyo3::prelude::*;

#[pymodule]
fn _stpn(module: &Bound<'_, PyModule>) -> PyResult<()> {
    stpn::ProcessSettings::default().apply();
    // Environments of Python run where this does, unless something else is named. A program that embeds Python may have
    // no executable of it.
    #[cfg(unix)]
    if let Some(python) = module.py().import("sys")?.getattr("executable")?.extract::<Option<PathBuf>>()?
        && !python.as_os_str().is_empty()
    {
        stpn::envs::gymnasium::runs_in_python(python);
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Error", module.py().get_type::<errors::StpnError>())?;
    module.add_class::<agent::Agent>()?;
    module.add_class::<environment::Environment>()?;
    module.add_class::<layer::Layer>()?;
    module.add_class::<layer::Tape>()?;
    module.add_class::<vector::Vector>()?;
    module.add_function(wrap_pyfunction!(command_line::run, module)?)?;
    module.add_function(wrap_pyfunction!(environment::environments, module)?)?;
    module.add_function(wrap_pyfunction!(threads::set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(threads::get_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(training::configure, module)?)?;
    module.add_function(wrap_pyfunction!(training::configure_table, module)?)?;
    module.add_function(wrap_pyfunction!(training::sections, module)?)?;
    module.add_function(wrap_pyfunction!(training::train, module)?)
}
