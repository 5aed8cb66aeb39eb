//! `W x + b` for many rows, W being `[H, I]`.

use std::sync::{Arc, OnceLock};

use super::panels::Panels;
use super::product::{Left, Right, product};
use super::rows::{copy_rows, sum_rows};
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Lease, Pool};
use crate::kernels::lanes::Lanes;

/// An affine map to rows of units that are padded to whole vectors.
#[derive(Debug)]
pub struct Projection<T> {
    /// Size I.
    inputs: usize,
    /// Units H.
    units: usize,
    /// Scalars of a padded row.
    row: usize,
    /// `[I, row]`
    matrix: Panels<T>,
    bias: Aligned<T>,
    /// `[H, I]`
    weights: Vec<T>,
    transposed: OnceLock<Panels<T>>,
    magnitudes: OnceLock<Panels<T>>,
}

impl<T: Real> Projection<T> {
    /// From W `[H, I]` and b `[H]`.
    pub fn new<L: Lanes<Real = T>>(weights: Vec<T>, bias: &[T]) -> Self {
        let (units, inputs) = (bias.len(), weights.len() / bias.len());
        let row = units.next_multiple_of(L::WIDTH);
        let mut padded = Aligned::zeros(row);
        padded[..units].copy_from_slice(bias);
        let matrix = Panels::new(inputs, row / L::WIDTH, L::WIDTH, |input, unit| {
            if unit < units { weights[unit * inputs + input] } else { T::ZERO }
        });
        let (transposed, magnitudes) = (OnceLock::new(), OnceLock::new());
        Self { inputs, units, row, matrix, bias: padded, weights, transposed, magnitudes }
    }

    /// Writes the images `[N, row]` of x `[N, I]`.
    pub fn apply<L: Lanes<Real = T>>(&self, lanes: L, x: &[T], out: &mut [T]) {
        for row in out.chunks_exact_mut(self.row) {
            row.copy_from_slice(&self.bias);
        }
        self.add(lanes, x, self.inputs, out);
    }

    /// Adds W x to `[N, row]`, the rows of x being `stride` apart.
    pub fn add<L: Lanes<Real = T>>(&self, lanes: L, x: &[T], stride: usize, out: &mut [T]) {
        self.matrix.multiply(lanes, out.len() / self.row, x, stride, out);
    }

    /// Writes the gradient `[N, I]` of x from that of the images `[N, row]`.
    pub fn back<L: Lanes<Real = T>>(&self, lanes: L, pool: &Arc<Pool<T>>, grad: &[T], grad_x: &mut [T]) {
        let padded = self.inputs.next_multiple_of(L::WIDTH);
        if padded == self.inputs {
            grad_x.fill(T::ZERO);
            return self.add_back(lanes, grad, grad_x);
        }
        let mut sums = pool.zeros(grad.len() / self.row * padded);
        self.add_back(lanes, grad, &mut sums);
        copy_rows([padded, self.inputs], &sums, grad_x);
    }

    /// Adds the gradient of x to rows padded to whole vectors.
    pub fn add_back<L: Lanes<Real = T>>(&self, lanes: L, grad: &[T], grad_x: &mut [T]) {
        let transposed = self.transposed.get_or_init(|| {
            Panels::new(self.row, self.inputs.div_ceil(L::WIDTH), L::WIDTH, |unit, input| {
                let inside = unit < self.units && input < self.inputs;
                if inside { self.weights[unit * self.inputs + input] } else { T::ZERO }
            })
        });
        transposed.multiply(lanes, grad.len() / self.row, grad, self.row, grad_x);
    }

    /// Adds `Σ_i |W_ji| s_i` to energies `[N, row]`, from squares s `[N, I]`, their rows `stride` apart.
    pub fn add_energy<L: Lanes<Real = T>>(&self, lanes: L, squares: &[T], stride: usize, energy: &mut [T]) {
        let magnitudes = self.magnitudes.get_or_init(|| {
            Panels::new(self.inputs, self.row / L::WIDTH, L::WIDTH, |input, unit| {
                if unit < self.units { magnitude(self.weights[unit * self.inputs + input]) } else { T::ZERO }
            })
        });
        magnitudes.multiply(lanes, energy.len() / self.row, squares, stride, energy);
    }
}

/// |v|
pub fn magnitude<T: Real>(value: T) -> T {
    if value < T::ZERO { T::ZERO - value } else { value }
}

/// Sums of the gradients of a [`Projection`] over rows.
#[derive(Debug)]
pub struct ProjectionSums<T: Real> {
    /// `[I, row]`
    weights: Lease<T>,
    /// `[row]`
    bias: Lease<T>,
}

impl<T: Real> ProjectionSums<T> {
    /// Zeros.
    pub fn new(projection: &Projection<T>, pool: &Arc<Pool<T>>) -> Self {
        Self { weights: pool.zeros(projection.inputs * projection.row), bias: pool.zeros(projection.row) }
    }

    /// Adds the share of rows x `[N, I]`, `stride` apart, their images' gradients being `grad` `[N, row]`.
    pub fn add<L: Lanes<Real = T>>(&mut self, lanes: L, x: &[T], stride: usize, grad: &[T]) {
        let row = self.bias.len();
        let (inputs, rows) = (self.weights.len() / row, grad.len() / row);
        let left = Left { values: x, row: 1, inner: stride };
        product(lanes, [inputs, rows, row / L::WIDTH], left, Right::Rows { values: grad, row }, &mut self.weights);
        sum_rows(lanes, grad, &mut self.bias);
    }

    /// The sum of the bias' gradients, padded.
    pub fn bias(&self) -> &[T] {
        &self.bias
    }

    /// The sum for the weight of that unit and input.
    pub fn weight(&self, unit: usize, input: usize) -> T {
        self.weights[input * self.bias.len() + unit]
    }
}
