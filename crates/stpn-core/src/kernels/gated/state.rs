//! The state of a block, its rows padded to whole vectors.

use std::ops::Range;

use super::weights::GatedLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Activity and memory of a block's elements: one `[B, gate]` for each field of the packed state.
#[derive(Debug)]
pub struct GatedState<T: Real> {
    pub fields: Vec<Lease<T>>,
    /// Where they lie in the packed state of one element, and its length.
    places: Vec<Range<usize>>,
    len: usize,
    gate: usize,
}

impl<T: Real> GatedState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &GatedLayer<L>, batch: usize) -> Self {
        let (places, len) = (layer.spec.fields.clone(), layer.spec.state_len);
        let fields = places.iter().map(|_| layer.pool.zeros(batch * layer.gate)).collect();
        Self { fields, places, len, gate: layer.gate }
    }

    /// Takes over packed `[B, S]`.
    pub fn load(&mut self, packed: &[T]) {
        for (place, field) in self.places.iter().zip(&mut self.fields) {
            for (row, packed) in field.chunks_exact_mut(self.gate).zip(packed.chunks_exact(self.len)) {
                row[..place.len()].copy_from_slice(&packed[place.clone()]);
            }
        }
    }

    /// Packs into `[B, S]`.
    pub fn store(&self, packed: &mut [T]) {
        for (place, field) in self.places.iter().zip(&self.fields) {
            for (row, packed) in field.chunks_exact(self.gate).zip(packed.chunks_exact_mut(self.len)) {
                packed[place.clone()].copy_from_slice(&row[..place.len()]);
            }
        }
    }

    /// Zeroes the elements that `resets` marks.
    pub fn reset(&mut self, resets: Option<&[u8]>) {
        for element in marked(resets) {
            for field in &mut self.fields {
                field[element * self.gate..(element + 1) * self.gate].fill(T::ZERO);
            }
        }
    }
}

/// A stepper's state, with what a step works in.
#[derive(Debug)]
pub struct GatedStepping<T: Real> {
    pub state: GatedState<T>,
    /// Pre-activations `[B, width]`; energies `[B, gate]` before that.
    pub work: Lease<T>,
    /// Squares of inputs or activities.
    pub squares: Vec<T>,
}
