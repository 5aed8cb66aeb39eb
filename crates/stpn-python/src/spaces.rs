//! Spaces as Python gets them: a dict, from which the package makes one of Gymnasium.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use stpn::envs::{Dtype, Space};

use crate::errors::StpnError;

/// `kind`, and what tells such a space from others of its kind.
pub fn described<'py>(py: Python<'py>, space: &Space) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    match space {
        Space::Discrete { n } => {
            dict.set_item("kind", "discrete")?;
            dict.set_item("n", n)?;
        }
        Space::MultiDiscrete { counts } => {
            dict.set_item("kind", "multi-discrete")?;
            dict.set_item("counts", counts)?;
        }
        Space::MultiBinary { n } => {
            dict.set_item("kind", "multi-binary")?;
            dict.set_item("n", n)?;
        }
        Space::Box { low, high, shape, dtype } => {
            dict.set_item("kind", "box")?;
            dict.set_item("low", low)?;
            dict.set_item("high", high)?;
            dict.set_item("shape", shape)?;
            let dtype = match dtype {
                Dtype::F32 => "float32",
                Dtype::U8 => "uint8",
            };
            dict.set_item("dtype", dtype)?;
        }
        other => return Err(StpnError::new_err(format!("Python knows no space like {other}"))),
    }
    Ok(dict)
}
