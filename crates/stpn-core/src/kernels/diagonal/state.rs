//! The state of a block in the kernel's layout.

use super::layer::DiagonalLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Complex numbers, and what a step works in.
#[derive(Debug)]
pub struct DiagonalState<T: Real> {
    /// `[B, 2·row]`
    pub numbers: Lease<T>,
    /// The numbers of the next step, `[B, 2·row]`.
    pub next: Lease<T>,
    /// Pre-activations, `[B, row]`.
    pub pre: Lease<T>,
    /// Squares of inputs or numbers.
    pub squares: Vec<T>,
}

impl<T: Real> DiagonalState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &DiagonalLayer<L>, batch: usize) -> Self {
        let zeros = |rows: usize| layer.pool.zeros(batch * rows * layer.row);
        Self { numbers: zeros(2), next: zeros(2), pre: zeros(1), squares: Vec::new() }
    }
}

impl<L: Lanes> DiagonalLayer<L> {
    /// Takes numbers `[B, 2·row]` out of packed `[B, S]`.
    pub fn load_numbers(&self, packed: &[L::Real], numbers: &mut [L::Real]) {
        for (numbers, packed) in numbers.chunks_exact_mut(2 * self.row).zip(packed.chunks_exact(self.spec.state_len)) {
            for (part, field) in numbers.chunks_exact_mut(self.row).zip(&self.spec.fields) {
                part[..field.len()].copy_from_slice(&packed[field.clone()]);
                part[field.len()..].fill(L::Real::ZERO);
            }
        }
    }

    /// The inverse of [`Self::load_numbers`].
    pub fn store_numbers(&self, numbers: &[L::Real], packed: &mut [L::Real]) {
        for (numbers, packed) in numbers.chunks_exact(2 * self.row).zip(packed.chunks_exact_mut(self.spec.state_len)) {
            for (part, field) in numbers.chunks_exact(self.row).zip(&self.spec.fields) {
                packed[field.clone()].copy_from_slice(&part[..field.len()]);
            }
        }
    }

    /// Zeroes the numbers of the elements that `resets` marks.
    pub fn reset(&self, resets: Option<&[u8]>, numbers: &mut [L::Real]) {
        for element in marked(resets) {
            numbers[element * 2 * self.row..(element + 1) * 2 * self.row].fill(L::Real::ZERO);
        }
    }
}
