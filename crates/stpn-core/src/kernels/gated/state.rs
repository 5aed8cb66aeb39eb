//! The state of a block, its rows padded to whole vectors.

use super::weights::GatedLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Activity and memory of a block's elements: one `[B, gate]` for each field of the packed state.
#[derive(Debug)]
pub struct GatedState<T: Real> {
    pub fields: Vec<Lease<T>>,
    size: usize,
    gate: usize,
}

impl<T: Real> GatedState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &GatedLayer<L>, batch: usize) -> Self {
        let size = layer.spec.hidden;
        let fields = layer.spec.state_len() / size;
        Self { fields: (0..fields).map(|_| layer.pool.zeros(batch * layer.gate)).collect(), size, gate: layer.gate }
    }

    /// Takes over packed `[B, S]`.
    pub fn load(&mut self, packed: &[T]) {
        let (size, count) = (self.size, self.fields.len());
        for (index, field) in self.fields.iter_mut().enumerate() {
            for (row, packed) in field.chunks_exact_mut(self.gate).zip(packed.chunks_exact(count * size)) {
                row[..size].copy_from_slice(&packed[index * size..(index + 1) * size]);
            }
        }
    }

    /// Packs into `[B, S]`.
    pub fn store(&self, packed: &mut [T]) {
        let (size, count) = (self.size, self.fields.len());
        for (index, field) in self.fields.iter().enumerate() {
            for (row, packed) in field.chunks_exact(self.gate).zip(packed.chunks_exact_mut(count * size)) {
                packed[index * size..(index + 1) * size].copy_from_slice(&row[..size]);
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
