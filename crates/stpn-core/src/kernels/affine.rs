//! Fully connected layers on plain slices: forward, and exact backward.

use rayon::prelude::*;

use super::Real;
use super::matrix::{Matrix, multiply};
use crate::options::Activation;

/// Rows of x that one thread works on.
const ROWS: usize = 256;

/// Outputs whose weights' gradient one thread sums over all rows.
const OUTPUTS: usize = 64;

/// `y = activation(W x + b)` with the parameters in place.
#[derive(Clone, Debug)]
pub struct Affine<T> {
    input: usize,
    /// `[out, in]`
    weight: Vec<T>,
    /// `[out]`
    bias: Vec<T>,
    activation: Option<Activation>,
}

impl<T: Real> Affine<T> {
    /// A layer of `output` features from packed parameters: weight `[out, in]`, then bias `[out]`.
    ///
    /// # Panics
    /// If there are fewer than `output` parameters.
    pub fn new(packed: &[T], output: usize, activation: Option<Activation>) -> Self {
        let (weight, bias) = packed.split_at(packed.len() - output);
        Self { input: weight.len() / output, weight: weight.to_vec(), bias: bias.to_vec(), activation }
    }

    /// Features of x.
    pub fn input(&self) -> usize {
        self.input
    }

    /// Features of y.
    pub fn output(&self) -> usize {
        self.bias.len()
    }

    /// Scalars of all parameters.
    pub fn parameters(&self) -> usize {
        self.weight.len() + self.bias.len()
    }

    /// x `[N, in]` → y `[N, out]`.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn forward(&self, x: &[T], y: &mut [T]) {
        let (input, output) = (self.input, self.output());
        assert_eq!(x.len() * output, y.len() * input, "rows of x and y");
        y.par_chunks_mut(ROWS * output).zip(x.par_chunks(ROWS * input)).for_each(|(y, x)| {
            y.chunks_exact_mut(output).for_each(|row| row.copy_from_slice(&self.bias));
            let weight = Matrix { values: &self.weight, row: 1, column: input };
            multiply([y.len() / output, input, output], Matrix { values: x, row: input, column: 1 }, weight, y, true);
            match self.activation {
                Some(Activation::Tanh) => T::tanh_all(y),
                Some(Activation::Relu) => y.iter_mut().filter(|y| **y < T::ZERO).for_each(|y| *y = T::ZERO),
                None => {}
            }
        });
    }

    /// From x `[N, in]`, what [`Affine::forward`] made of it and the gradient of that, the gradients of x, where it is
    /// asked for, and of the packed parameters. Both are overwritten.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn backward(&self, x: &[T], y: &[T], grad_y: &[T], grad_x: Option<&mut [T]>, grad_packed: &mut [T]) {
        let (input, output) = (self.input, self.output());
        assert_eq!((x.len() * output, grad_y.len()), (y.len() * input, y.len()), "rows of x and y");
        assert_eq!(grad_packed.len(), self.parameters(), "packed parameters");
        let rows = y.len() / output;
        let grad: Vec<T> = match self.activation {
            Some(Activation::Tanh) => y.iter().zip(grad_y).map(|(&y, &grad)| grad * (T::ONE - y * y)).collect(),
            Some(Activation::Relu) => {
                y.iter().zip(grad_y).map(|(&y, &grad)| if y > T::ZERO { grad } else { T::ZERO }).collect()
            }
            None => grad_y.to_vec(),
        };
        grad_packed.fill(T::ZERO);
        if rows == 0 {
            return;
        }
        let (grad_weight, grad_bias) = grad_packed.split_at_mut(self.weight.len());
        for row in grad.chunks_exact(output) {
            grad_bias.iter_mut().zip(row).for_each(|(sum, &part)| *sum += part);
        }
        grad_weight.par_chunks_mut(OUTPUTS * input).enumerate().for_each(|(slice, grad_weight)| {
            let left = Matrix { values: &grad[slice * OUTPUTS..], row: 1, column: output };
            let right = Matrix { values: x, row: input, column: 1 };
            multiply([grad_weight.len() / input, rows, input], left, right, grad_weight, false);
        });
        if let Some(grad_x) = grad_x {
            assert_eq!(grad_x.len(), x.len(), "the gradient of x");
            grad_x.par_chunks_mut(ROWS * input).zip(grad.par_chunks(ROWS * output)).for_each(|(grad_x, grad)| {
                let left = Matrix { values: grad, row: output, column: 1 };
                let right = Matrix { values: &self.weight, row: input, column: 1 };
                multiply([grad_x.len() / input, output, input], left, right, grad_x, false);
            });
        }
    }
}
