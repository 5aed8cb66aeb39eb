//! Parameters and gradients as one flat buffer, in the parameters' fixed order.

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};
use pulp::Arch;
use rayon::prelude::*;
use stpn_core::Parameters;

use crate::Result;

/// Where each parameter lies in the flat buffer.
#[derive(Clone, Debug)]
pub struct FlatLayout {
    parameters: Parameters,
    offsets: Vec<usize>,
    len: usize,
}

impl FlatLayout {
    /// The layout of `parameters`, whose variables it shares.
    pub fn new(parameters: &Parameters) -> Self {
        let mut len = 0;
        let mut offsets = Vec::new();
        for (_, var) in parameters.iter() {
            offsets.push(len);
            len += var.elem_count();
        }
        Self { parameters: parameters.clone(), offsets, len }
    }

    /// Scalars in the buffer.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without parameters.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Name, shape and place in the buffer of every parameter, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[usize], std::ops::Range<usize>)> {
        self.parameters.iter().zip(&self.offsets).map(|((name, var), &start)| {
            let dims: &[usize] = var.dims();
            (name, dims, start..start + var.elem_count())
        })
    }

    /// The parameters' present values.
    ///
    /// # Errors
    /// Fails if candle cannot convert to f32.
    pub fn values(&self) -> Result<Vec<f32>> {
        let mut flat = Vec::with_capacity(self.len);
        for (_, var) in self.parameters.iter() {
            flat.extend(var.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        }
        Ok(flat)
    }

    /// Writes `flat` into the parameters.
    ///
    /// # Errors
    /// Fails if candle cannot copy.
    pub fn assign(&self, flat: &[f32]) -> Result<()> {
        for ((_, var), &start) in self.parameters.iter().zip(&self.offsets) {
            let values = Tensor::from_slice(&flat[start..start + var.elem_count()], var.shape(), var.device())?;
            var.set(&values.to_dtype(var.dtype())?)?;
        }
        Ok(())
    }

    /// Copies gradients out of candle's store; 0 if a parameter took no part.
    ///
    /// # Errors
    /// Fails if candle cannot convert to f32.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<f32>> {
        let mut flat = vec![0f32; self.len];
        for ((_, var), &start) in self.parameters.iter().zip(&self.offsets) {
            if let Some(gradient) = store.get(var) {
                let values = gradient.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                flat[start..start + values.len()].copy_from_slice(&values);
            }
        }
        Ok(flat)
    }
}

/// Scalars that one thread works on.
pub(crate) const PART: usize = 1 << 16;

/// Euclidean norm, accumulated in f64 over sixteen partial sums for each part of 65,536: the order is fixed.
pub fn norm(values: &[f32]) -> f64 {
    let squares: Vec<f64> = values.par_chunks(PART).map(squares).collect();
    squares.iter().sum::<f64>().sqrt()
}

/// Sum of squares.
fn squares(values: &[f32]) -> f64 {
    let squares = Arch::new().dispatch(
        #[inline(always)]
        || {
            let (head, tail) = values.as_chunks::<16>();
            let mut lanes = [0f64; 16];
            for chunk in head {
                for (lane, &value) in lanes.iter_mut().zip(chunk) {
                    *lane += f64::from(value) * f64::from(value);
                }
            }
            for (lane, &value) in lanes.iter_mut().zip(tail) {
                *lane += f64::from(value) * f64::from(value);
            }
            lanes
        },
    );
    squares.iter().sum()
}

/// Scales `gradients` down to norm `max` where they exceed it; returns the norm they had
/// (`torch.nn.utils.clip_grad_norm_`).
pub fn clip_norm(gradients: &mut [f32], max: Option<f64>) -> f64 {
    let norm = norm(gradients);
    if let Some(max) = max.filter(|&max| norm > max) {
        let scale = (max / (norm + 1e-6)) as f32;
        gradients.par_chunks_mut(PART).for_each(|part| part.iter_mut().for_each(|g| *g *= scale));
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_scales_to_the_norm_and_leaves_smaller_ones_alone() {
        let mut gradients: Vec<f32> = (0..37).map(|i| (i as f32 - 18.0) / 10.0).collect();
        let expected = gradients.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!((norm(&gradients) - expected).abs() < 1e-12);
        let before = gradients.clone();
        assert_eq!(clip_norm(&mut gradients, Some(100.0)), norm(&before));
        assert_eq!(gradients, before);
        clip_norm(&mut gradients, Some(0.5));
        assert!((norm(&gradients) - 0.5).abs() < 1e-5);
    }
}
