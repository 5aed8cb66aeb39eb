//! The linear layers of the heads, for training (candle) and for inference (slices).

use candle_core::{Tensor, Var};
use stpn_core::{Initializer, Parameters};

use crate::Result;

/// `y = W x + b` with W `[out, in]`, initialised U(±1/√in) as in PyTorch.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Var,
    bias: Var,
    parameters: Parameters,
}

impl Linear {
    /// A layer from `input` to `output` features.
    ///
    /// # Errors
    /// Fails where candle cannot allocate.
    pub fn new(input: usize, output: usize, init: &mut Initializer<'_>) -> Result<Self> {
        let bound = 1.0 / (input as f64).sqrt();
        let mut parameters = Parameters::default();
        let weight = parameters.add("weight", &init.uniform((output, input), -bound, bound)?)?;
        let bias = parameters.add("bias", &init.uniform(output, -bound, bound)?)?;
        Ok(Self { weight, bias, parameters })
    }

    /// The parameters `weight` and `bias`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Number of output features.
    pub fn output_len(&self) -> usize {
        self.bias.elem_count()
    }

    /// x `[N, in]` → `[N, out]`, differentiable.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }

    /// The layer's present values for inference.
    ///
    /// # Errors
    /// Fails where candle cannot convert to f32.
    pub fn prepare(&self) -> Result<PreparedLinear> {
        let values =
            |var: &Var| -> Result<Vec<f32>> { Ok(var.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1()?) };
        let (weight, bias) = (values(&self.weight)?, values(&self.bias)?);
        Ok(PreparedLinear { input: weight.len() / bias.len(), weight, bias })
    }
}

/// A [`Linear`]'s values, copied out for inference on slices.
#[derive(Clone, Debug)]
pub struct PreparedLinear {
    input: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl PreparedLinear {
    /// Number of output features.
    pub fn output(&self) -> usize {
        self.bias.len()
    }

    /// x `[N, in]` → y `[N, out]`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(self.input).zip(y.chunks_exact_mut(self.output())) {
            for ((y, row), bias) in y.iter_mut().zip(self.weight.chunks_exact(self.input)).zip(&self.bias) {
                *y = bias + dot(row, x);
            }
        }
    }
}

/// Dot product over eight partial sums, which the compiler keeps in one vector register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_head, a_tail) = a.as_chunks::<8>();
    let (b_head, b_tail) = b.as_chunks::<8>();
    let mut lanes = [0f32; 8];
    for (a, b) in a_head.iter().zip(b_head) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + tail
}
