//! Safetensors files to and from plain vectors.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::rollout::Observations;
use crate::{Error, Result};

/// Tensors to write, in order.
#[derive(Default)]
pub struct TensorWriter {
    entries: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl TensorWriter {
    /// Adds floats.
    pub fn f32(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.entries.push((name.to_string(), Dtype::F32, shape.to_vec(), bytes));
    }

    /// Adds bytes.
    pub fn u8(&mut self, name: &str, values: Vec<u8>) {
        self.entries.push((name.to_string(), Dtype::U8, vec![values.len()], values));
    }

    /// Adds observations in their own element type.
    pub fn observations(&mut self, name: &str, shape: &[usize], observations: &Observations) {
        match observations {
            Observations::F32(values) => self.f32(name, shape, values),
            Observations::U8(bytes) => self.entries.push((name.into(), Dtype::U8, shape.to_vec(), bytes.clone())),
        }
    }

    /// Adds integers.
    pub fn u64(&mut self, name: &str, values: &[u64]) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.entries.push((name.to_string(), Dtype::U64, vec![values.len()], bytes));
    }

    /// The file's contents.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if a shape and its values disagree.
    pub fn finish(self, path: &Path) -> Result<Vec<u8>> {
        let refuse = |error: safetensors::SafeTensorError| Error::Checkpoint {
            path: path.to_path_buf(),
            problem: format!("cannot be written: {error}"),
        };
        let views = self
            .entries
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).map_err(refuse)?))
            })
            .collect::<Result<Vec<_>>>()?;
        serialize(views, None).map_err(refuse)
    }
}

/// Tensors of a verified file.
pub struct TensorReader<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
}

impl<'a> TensorReader<'a> {
    /// Reads a file's contents; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the contents are no safetensors file.
    pub fn new(path: &'a Path, contents: &'a [u8]) -> Result<Self> {
        let refuse = |error| Error::Checkpoint { path: path.to_path_buf(), problem: format!("is damaged: {error}") };
        Ok(Self { path, tensors: SafeTensors::deserialize(contents).map_err(refuse)? })
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        names
    }

    /// The floats of `name`, whose shape must be `shape`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or of another shape or dtype.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self.view(name, Dtype::F32)?;
        if view.shape() != shape {
            return Err(self.refuse(format!("`{name}` has shape {:?} where {shape:?} is needed", view.shape())));
        }
        self.any_f32(name)
    }

    /// The floats of `name`, of any shape.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or of another dtype.
    pub fn any_f32(&self, name: &str) -> Result<Vec<f32>> {
        let view = self.view(name, Dtype::F32)?;
        Ok(view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// The bytes of `name`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or of another dtype.
    pub fn u8(&self, name: &str) -> Result<Vec<u8>> {
        Ok(self.view(name, Dtype::U8)?.data().to_vec())
    }

    /// The observations of `name`, floats or bytes.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or of another dtype.
    pub fn observations(&self, name: &str) -> Result<Observations> {
        match self.tensors.tensor(name).map(|view| view.dtype()) {
            Ok(Dtype::U8) => Ok(Observations::U8(self.u8(name)?)),
            _ => Ok(Observations::F32(self.any_f32(name)?)),
        }
    }

    /// The integers of `name`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing or of another dtype.
    pub fn u64(&self, name: &str) -> Result<Vec<u64>> {
        let view = self.view(name, Dtype::U64)?;
        Ok(view.data().as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }

    /// An error about this file.
    pub fn refuse(&self, problem: String) -> Error {
        Error::Checkpoint { path: self.path.to_path_buf(), problem }
    }

    fn view(&self, name: &str, dtype: Dtype) -> Result<TensorView<'_>> {
        let view = self.tensors.tensor(name).map_err(|_| self.refuse(format!("has no tensor `{name}`")))?;
        if view.dtype() != dtype {
            return Err(self.refuse(format!("`{name}` is {:?} where {dtype:?} is needed", view.dtype())));
        }
        Ok(view)
    }
}
