//! Arrays of numpy, read and written where they lie.

use numpy::ndarray::Dimension;
use numpy::{Element, PyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArray, PyReadwriteArrayDyn};
use pyo3::prelude::*;
use stpn::ObservationRef;
use stpn::envs::ObservationMut;
use stpn::envs::Space;
use stpn::envs::vector::Actions;

use crate::errors::wrong;

/// Why an array is refused.
pub fn scattered(_: impl std::fmt::Debug) -> PyErr {
    wrong("an array is not contiguous: numpy.ascontiguousarray makes one that is")
}

/// Observations `[B, …]` to read.
#[derive(FromPyObject)]
pub enum ObservationsIn<'py> {
    /// Numbers.
    F32(PyReadonlyArrayDyn<'py, f32>),
    /// Pixels.
    U8(PyReadonlyArrayDyn<'py, u8>),
}

impl ObservationsIn<'_> {
    /// The values.
    pub fn values(&self) -> PyResult<ObservationRef<'_>> {
        Ok(match self {
            Self::F32(array) => ObservationRef::F32(array.as_slice().map_err(scattered)?),
            Self::U8(array) => ObservationRef::U8(array.as_slice().map_err(scattered)?),
        })
    }
}

/// An array to write, once nobody else reads or writes it here: it is asked for after what is written to it.
pub fn writable<'py, T: Element, D: Dimension>(
    array: &Bound<'py, PyArray<T, D>>,
) -> PyResult<PyReadwriteArray<'py, T, D>> {
    array.try_readwrite().map_err(|error| wrong(format!("an array cannot be written: {error}")))
}

/// Observations `[B, …]` to write.
#[derive(FromPyObject)]
pub enum ObservationsOut<'py> {
    /// Numbers.
    F32(Bound<'py, PyArrayDyn<f32>>),
    /// Pixels.
    U8(Bound<'py, PyArrayDyn<u8>>),
}

/// [`ObservationsOut`] that nobody else reads or writes.
pub enum Writable<'py> {
    /// Numbers.
    F32(PyReadwriteArrayDyn<'py, f32>),
    /// Pixels.
    U8(PyReadwriteArrayDyn<'py, u8>),
}

impl<'py> ObservationsOut<'py> {
    /// As [`writable`].
    pub fn writable(&self) -> PyResult<Writable<'py>> {
        Ok(match self {
            Self::F32(array) => Writable::F32(writable(array)?),
            Self::U8(array) => Writable::U8(writable(array)?),
        })
    }
}

impl Writable<'_> {
    /// The place of the values.
    pub fn values(&mut self) -> PyResult<ObservationMut<'_>> {
        Ok(match self {
            Self::F32(array) => ObservationMut::F32(array.as_slice_mut().map_err(scattered)?),
            Self::U8(array) => ObservationMut::U8(array.as_slice_mut().map_err(scattered)?),
        })
    }
}

/// Actions of B environments: choices as uint32, everything else as float32.
#[derive(FromPyObject)]
pub enum ActionsIn<'py> {
    /// Choices.
    Choices(PyReadonlyArrayDyn<'py, u32>),
    /// Numbers.
    Numbers(PyReadonlyArrayDyn<'py, f32>),
}

impl ActionsIn<'_> {
    /// How many numbers or choices they are.
    pub fn len(&self) -> usize {
        match self {
            Self::Choices(array) => array.as_array().len(),
            Self::Numbers(array) => array.as_array().len(),
        }
    }

    /// The actions, of `space`.
    pub fn of(&self, space: &Space) -> PyResult<Actions<'_>> {
        Ok(match (self, space) {
            (Self::Choices(array), Space::Discrete { .. }) => Actions::Discrete(array.as_slice().map_err(scattered)?),
            (Self::Choices(array), _) => Actions::Choices(array.as_slice().map_err(scattered)?),
            (Self::Numbers(array), _) => Actions::Continuous(array.as_slice().map_err(scattered)?),
        })
    }
}
