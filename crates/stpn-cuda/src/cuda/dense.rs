//! Dense layers on a device: encoders and heads.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::dense::{self, Dense, DenseBackward};
use crate::lengths::expect;
use crate::{Error, Result};

/// Gradients of a dense layer.
#[derive(Debug)]
pub struct DenseGradients<T> {
    /// Of the packed parameters.
    pub parameters: Buffer<T>,
    /// Of x, if it was asked for.
    pub x: Option<Buffer<T>>,
}

/// A dense layer on a device.
#[derive(Clone, Debug)]
pub struct DenseLayer<T> {
    general: General<T>,
    layer: Dense,
}

impl<T: CudaReal> DenseLayer<T> {
    /// That layer.
    ///
    /// # Errors
    /// [`Error::Layer`] without inputs or outputs, or for a scale that is not finite and above 0.
    pub fn new(general: &General<T>, layer: Dense) -> Result<Self> {
        if layer.input == 0 || layer.output == 0 {
            return Err(Error::Layer { problem: "input and output must be at least 1".to_string() });
        }
        if !(layer.scale.is_finite() && layer.scale > 0.0) {
            return Err(Error::Layer { problem: format!("the scale must be finite and above 0, got {}", layer.scale) });
        }
        Ok(Self { general: general.clone(), layer })
    }

    /// The layer.
    pub fn layer(&self) -> &Dense {
        &self.layer
    }

    fn check(&self, rows: usize, parameters: &Buffer<T>, x: &Buffer<T>) -> Result<()> {
        if rows == 0 {
            return Err(Error::Layer { problem: "a product needs at least one row".to_string() });
        }
        expect("parameters", parameters.len(), self.layer.parameters())?;
        expect("x", x.len(), rows * self.layer.input)
    }

    /// x `[N, I]` to y `[N, O]`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn forward(&self, rows: usize, parameters: &Buffer<T>, x: &Buffer<T>) -> Result<Buffer<T>> {
        self.check(rows, parameters, x)?;
        dense::forward(&self.general.runner(None), &self.layer, rows, parameters, x)
    }

    /// The energy Σ_i |W_oi| (m_i x_i)² of every output for x `[N, I]`, `[N, O]`, where m is `mask` `[I]`; bias,
    /// nonlinearity and scale have no part in it. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn energy(&self, rows: usize, parameters: &Buffer<T>, x: &Buffer<T>, mask: Option<&[T]>) -> Result<Buffer<T>> {
        self.check(rows, parameters, x)?;
        expect("energy mask", mask.map_or(self.layer.input, <[T]>::len), self.layer.input)?;
        let mask = mask.map(|mask| self.general.device().upload(mask)).transpose()?;
        let runner = self.general.runner(None);
        let address = mask.as_ref().map_or(0, |mask| runner.address_of(mask));
        dense::energy(&runner, &self.layer, rows, [parameters, x], address)
    }

    /// From the gradient of y, with the x and y of [`DenseLayer::forward`], to that of the parameters, and of x if
    /// `to_inputs`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn backward(
        &self,
        rows: usize,
        [parameters, x, y, grad_y]: [&Buffer<T>; 4],
        to_inputs: bool,
    ) -> Result<DenseGradients<T>> {
        self.check(rows, parameters, x)?;
        expect("y", y.len(), rows * self.layer.output)?;
        expect("grad_y", grad_y.len(), rows * self.layer.output)?;
        let arrays = [parameters, x, y, grad_y];
        let DenseBackward { parameters, x } =
            dense::backward(&self.general.runner(None), &self.layer, rows, arrays, to_inputs)?;
        Ok(DenseGradients { parameters, x })
    }
}
