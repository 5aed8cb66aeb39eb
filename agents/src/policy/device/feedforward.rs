//! A layer without memory on a device.

use stpn_cuda::cuda::{Buffer, ConvolutionLayer, DenseGradients, DenseLayer, General};
use stpn_cuda::{Convolution, Dense, Nonlinearity};

use super::cells::{nonlinearity, unsupported};
use crate::Result;
use crate::policy::encoder::EncoderLayer;

/// A layer without memory.
#[derive(Debug)]
pub(super) enum Feedforward {
    Dense(DenseLayer<f32>),
    Convolution(ConvolutionLayer<f32>),
}

impl Feedforward {
    /// A fully connected layer.
    ///
    /// # Errors
    /// Fails if it is impossible.
    pub fn dense(general: &General<f32>, layer: Dense) -> Result<Self> {
        Ok(Self::Dense(DenseLayer::new(general, layer)?))
    }

    /// A layer of an encoder, whose activities are multiplied by `scale`.
    ///
    /// # Errors
    /// Fails if it is impossible.
    pub fn of_encoder(general: &General<f32>, layer: EncoderLayer, scale: f64) -> Result<Self> {
        match layer {
            EncoderLayer::Dense([input, output], activation) => {
                Self::dense(general, Dense { scale, ..Dense::new(input, output, nonlinearity(activation)) })
            }
            EncoderLayer::Convolution(input, filters) => {
                let layer = Convolution {
                    channels: input.channels,
                    height: input.height,
                    width: input.width,
                    filters: filters.count,
                    size: filters.size,
                    stride: filters.stride,
                    nonlinearity: Nonlinearity::Relu,
                    scale,
                };
                Ok(Self::Convolution(ConvolutionLayer::new(general, layer)?))
            }
        }
    }

    /// The layer, if it is dense.
    pub fn as_dense(&self) -> Option<&DenseLayer<f32>> {
        match self {
            Self::Dense(layer) => Some(layer),
            Self::Convolution(_) => None,
        }
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Dense(layer) => layer.layer().parameters(),
            Self::Convolution(layer) => layer.layer().parameters(),
        }
    }

    /// x `[N, I]` to y `[N, O]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward(&self, rows: usize, parameters: &Buffer<f32>, x: &Buffer<f32>) -> Result<Buffer<f32>> {
        Ok(match self {
            Self::Dense(layer) => layer.forward(rows, parameters, x)?,
            Self::Convolution(layer) => layer.forward(rows, parameters, x)?,
        })
    }

    /// Energy of every unit, `[N, O]`, from x `[N, I]`. Only a cell has one: a convolution is none.
    ///
    /// # Errors
    /// Fails if the device does, and for convolutions.
    pub fn energy(
        &self,
        rows: usize,
        parameters: &Buffer<f32>,
        x: &Buffer<f32>,
        mask: Option<&[f32]>,
    ) -> Result<Buffer<f32>> {
        match self {
            Self::Dense(layer) => Ok(layer.energy(rows, parameters, x, mask)?),
            Self::Convolution(_) => Err(unsupported("a convolution has no energy")),
        }
    }

    /// Gradients of parameters, and of x if `to_inputs`, from parameters, x, y and the gradient of y.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(&self, rows: usize, arrays: [&Buffer<f32>; 4], to_inputs: bool) -> Result<DenseGradients<f32>> {
        Ok(match self {
            Self::Dense(layer) => layer.backward(rows, arrays, to_inputs)?,
            Self::Convolution(layer) => layer.backward(rows, arrays, to_inputs)?,
        })
    }
}
