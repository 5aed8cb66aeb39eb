//! The state of a block in the kernel's layout.

use super::layer::AttentiveLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{copy_rows, take_rows};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Activities and fast weights, and what a step works in.
#[derive(Debug)]
pub struct AttentiveState<T: Real> {
    pub batch: usize,
    /// h, `[B, row]`.
    pub hidden: Lease<T>,
    /// F.
    pub fast: Lease<T>,
    /// The activity of the present inner step, `[B, row]`.
    pub current: Lease<T>,
    /// Pre-activations of an inner step, `[B, row]`.
    pub inner: Lease<T>,
    /// Pre-activations of a step of inference, `[B, row]`.
    pub work: Lease<T>,
    /// Energies, `[B, row]`.
    pub energy: Lease<T>,
    /// Squares of inputs or activities.
    pub squares: Vec<T>,
}

impl<T: Real> AttentiveState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &AttentiveLayer<L>, batch: usize) -> Self {
        let rows = || layer.pool.zeros(batch * layer.layout.row());
        Self {
            batch,
            hidden: rows(),
            fast: layer.pool.zeros(batch * layer.layout.matrix()),
            current: rows(),
            inner: rows(),
            work: rows(),
            energy: rows(),
            squares: Vec::new(),
        }
    }

    /// Takes over packed `[B, S]`.
    pub fn load<L: Lanes<Real = T>>(&mut self, layer: &AttentiveLayer<L>, packed: &[T]) {
        load_state(layer, packed, &mut self.hidden, &mut self.fast);
    }

    /// Packs into `[B, S]`.
    pub fn store<L: Lanes<Real = T>>(&self, layer: &AttentiveLayer<L>, packed: &mut [T]) {
        store_state(layer, &self.hidden, &self.fast, packed);
    }

    /// Zeroes the elements that `resets` marks.
    pub fn reset<L: Lanes<Real = T>>(&mut self, layer: &AttentiveLayer<L>, resets: Option<&[u8]>) {
        reset_state(layer, resets, &mut self.hidden, &mut self.fast);
    }

    /// Copies the activities to `[B, H]`.
    pub fn emit<L: Lanes<Real = T>>(&self, layer: &AttentiveLayer<L>, hidden: &mut [T]) {
        copy_rows([layer.layout.row(), layer.spec.hidden], &self.hidden, hidden);
    }
}

/// Takes rows `[B, row]` and matrices out of packed `[B, S]`.
pub fn load_state<L: Lanes>(
    layer: &AttentiveLayer<L>,
    packed: &[L::Real],
    hidden: &mut [L::Real],
    fast: &mut [L::Real],
) {
    let (len, [activity, matrix]) = (layer.spec.state_len, &layer.spec.fields);
    for (row, packed) in hidden.chunks_exact_mut(layer.layout.row()).zip(packed.chunks_exact(len)) {
        take_rows([row.len(), activity.len()], &packed[activity.clone()], row);
    }
    layer.layout.load(packed, [len, matrix.start], fast);
}

/// The inverse of [`load_state`].
pub fn store_state<L: Lanes>(layer: &AttentiveLayer<L>, hidden: &[L::Real], fast: &[L::Real], packed: &mut [L::Real]) {
    let (len, [activity, matrix]) = (layer.spec.state_len, &layer.spec.fields);
    for (row, packed) in hidden.chunks_exact(layer.layout.row()).zip(packed.chunks_exact_mut(len)) {
        packed[activity.clone()].copy_from_slice(&row[..activity.len()]);
    }
    layer.layout.store(fast, packed, [len, matrix.start]);
}

/// Zeroes the rows and matrices of the elements that `resets` marks.
pub fn reset_state<L: Lanes>(
    layer: &AttentiveLayer<L>,
    resets: Option<&[u8]>,
    hidden: &mut [L::Real],
    fast: &mut [L::Real],
) {
    let row = layer.layout.row();
    for element in marked(resets) {
        layer.layout.clear(hidden.len() / row, element, fast);
        hidden[element * row..(element + 1) * row].fill(L::Real::ZERO);
    }
}
