//! Trainable parameters: named, in a fixed order, shared between a module and its optimiser.

use candle_core::{DType, Device, Shape, Tensor, Var};
use stpn_random::Stream;

use crate::layout::Layout;
use crate::{Error, Result};

/// Named trainable tensors in the order in which they were added.
///
/// candle's `VarMap` iterates a hash map, so sums over it differ from process to process; this order never does.
/// Cloning shares the variables.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    entries: Vec<(String, Var)>,
}

impl Parameters {
    /// Adds a parameter with its initial value.
    ///
    /// # Errors
    /// Fails if candle cannot make a variable of the tensor.
    pub fn add(&mut self, name: &str, initial: &Tensor) -> Result<Var> {
        debug_assert!(self.entries.iter().all(|(known, _)| known != name), "parameter {name} added twice");
        let var = Var::from_tensor(initial)?;
        self.entries.push((name.to_string(), var.clone()));
        Ok(var)
    }

    /// Adds all of `other`'s parameters under their own names, sharing their variables.
    pub fn append(&mut self, other: &Self) {
        self.entries.extend(other.entries.iter().cloned());
    }

    /// Adds all of `other`'s parameters, named `prefix.name`, sharing their variables.
    pub fn extend(&mut self, prefix: &str, other: &Self) {
        self.entries.extend(other.entries.iter().map(|(name, var)| (format!("{prefix}.{name}"), var.clone())));
    }

    /// The parameters with their names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Var)> {
        self.entries.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// The parameter of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are.
    pub fn get(&self, name: &str) -> Result<&Var> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, var)| var).ok_or_else(|| Error::Unknown {
            kind: "parameter",
            name: name.to_string(),
            known: self.entries.iter().map(|(known, _)| known.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Number of trainable scalars.
    pub fn count(&self) -> usize {
        self.entries.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Where each lies in [`Parameters::packed`].
    pub fn layout(&self) -> Layout {
        Layout::new(self.iter().map(|(name, var)| (name, var.dims())))
    }

    /// All values concatenated in order, each row-major: one tensor `[count]`, differentiable in every parameter.
    ///
    /// # Errors
    /// Fails if candle cannot concatenate (mixed dtypes).
    pub fn packed(&self) -> Result<Tensor> {
        let flat = self.entries.iter().map(|(_, var)| var.flatten_all()).collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&flat, 0)?)
    }
}

/// Makes initial values: a random stream, a dtype and a device.
///
/// Draws are made in f64 and then converted, so that f32 and f64 networks of one seed start equal up to rounding.
pub struct Initializer<'a> {
    stream: &'a mut Stream,
    dtype: DType,
    device: Device,
}

impl<'a> Initializer<'a> {
    /// An initializer that draws from `stream`.
    pub fn new(stream: &'a mut Stream, dtype: DType, device: &Device) -> Self {
        Self { stream, dtype, device: device.clone() }
    }

    /// The dtype of the tensors made.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device of the tensors made.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The random stream, for initialisations that this type does not offer.
    pub fn stream(&mut self) -> &mut Stream {
        self.stream
    }

    /// Independent draws from U[low, high).
    ///
    /// # Errors
    /// Fails if candle cannot make the tensor.
    pub fn uniform(&mut self, shape: impl Into<Shape>, low: f64, high: f64) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f64> = (0..shape.elem_count()).map(|_| self.stream.uniform(low, high)).collect();
        self.tensor(values, shape)
    }

    /// Every element equal to `value`.
    ///
    /// # Errors
    /// Fails if candle cannot make the tensor.
    pub fn constant(&mut self, shape: impl Into<Shape>, value: f64) -> Result<Tensor> {
        let shape = shape.into();
        self.tensor(vec![value; shape.elem_count()], shape)
    }

    /// A tensor of given values in this initializer's dtype and device.
    ///
    /// # Errors
    /// Fails if the number of values is not that of the shape.
    pub fn tensor(&self, values: Vec<f64>, shape: impl Into<Shape>) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)?)
    }
}
