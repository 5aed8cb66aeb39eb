//! Layer normalisation in differentiable operations: candle's own is a custom operator without a backward.

use candle_core::{D, Tensor, Var};

use super::large::row_scale;
use crate::{Initializer, Parameters, Result};

/// Added to the variance, as everywhere in the field.
const EPSILON: f64 = 1e-5;

/// `(v − mean) / √(variance + 1e-5) ⊙ weight + bias` over the last dimension (Ba, Kiros, Hinton 2016), with the
/// biased variance.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Var,
    bias: Var,
}

impl LayerNorm {
    /// Adds the gain `layer_norm.weight` (ones) and the offset `layer_norm.bias` (zeros), both `[size]`.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(parameters: &mut Parameters, size: usize, init: &mut Initializer) -> Result<Self> {
        let weight = parameters.add("layer_norm.weight", &init.constant(size, 1.0)?)?;
        let bias = parameters.add("layer_norm.bias", &init.constant(size, 0.0)?)?;
        Ok(Self { weight, bias })
    }

    /// Normalises values `[…, size]`.
    ///
    /// # Errors
    /// Fails on another size.
    pub fn forward(&self, values: &Tensor) -> Result<Tensor> {
        let centred = values.broadcast_sub(&values.mean_keepdim(D::Minus1)?)?;
        let mean_square = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalized = match row_scale(&centred, &mean_square)? {
            None => centred.broadcast_div(&(mean_square + EPSILON)?.sqrt()?)?,
            Some(scale) => {
                let scaled = centred.broadcast_div(&scale)?;
                let variance = (scaled.sqr()?.mean_keepdim(D::Minus1)? + (scale.sqr()?.recip()? * EPSILON)?)?;
                scaled.broadcast_div(&variance.sqrt()?)?
            }
        };
        Ok(normalized.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}
