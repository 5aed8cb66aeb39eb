//! The state of a block in the kernel's layout.

use super::layer::ModulatedLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::copy_rows;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Activities and fast weights. The update that belongs to the last step is done together with the next one.
#[derive(Debug)]
pub struct ModulatedState<T: Real> {
    pub batch: usize,
    /// h after the last step, `[B, row]`.
    pub hidden: Lease<T>,
    /// h before the last step, `[B, row]`.
    pub before: Lease<T>,
    /// The last step's rates `[B]`, padded to whole vectors.
    pub rates: Lease<T>,
    /// F.
    pub fast: Lease<T>,
    /// The trace; empty if there is none.
    pub trace: Lease<T>,
    /// The last step's update is still to be done.
    pub pending: bool,
    /// Pre-activations `[B, row]`.
    pub work: Lease<T>,
    /// Squares of inputs.
    pub squares: Vec<T>,
}

impl<T: Real> ModulatedState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &ModulatedLayer<L>, batch: usize) -> Self {
        let zeros = |len| layer.pool.zeros(len);
        let (rows, matrices) = (batch * layer.layout.row(), batch * layer.layout.matrix());
        Self {
            batch,
            hidden: zeros(rows),
            before: zeros(rows),
            rates: zeros(batch.next_multiple_of(L::WIDTH)),
            fast: zeros(matrices),
            trace: zeros(if layer.spec.retroactive() { matrices } else { 0 }),
            pending: false,
            work: zeros(rows),
            squares: Vec::new(),
        }
    }

    /// Takes over packed `[B, S]`.
    pub fn load<L: Lanes<Real = T>>(&mut self, layer: &ModulatedLayer<L>, packed: &[T]) {
        let (state, size) = (&layer.spec.state, layer.spec.hidden);
        for (row, packed) in self.hidden.chunks_exact_mut(layer.layout.row()).zip(packed.chunks_exact(state.len)) {
            row[..size].copy_from_slice(&packed[state.hidden.clone()]);
        }
        layer.layout.load(packed, [state.len, state.fast], &mut self.fast);
        if let Some(trace) = state.trace {
            layer.layout.load(packed, [state.len, trace], &mut self.trace);
        }
        self.pending = false;
    }

    /// Packs into `[B, S]`; nothing may be pending.
    pub fn store<L: Lanes<Real = T>>(&self, layer: &ModulatedLayer<L>, packed: &mut [T]) {
        let (state, size) = (&layer.spec.state, layer.spec.hidden);
        for (row, packed) in self.hidden.chunks_exact(layer.layout.row()).zip(packed.chunks_exact_mut(state.len)) {
            packed[state.hidden.clone()].copy_from_slice(&row[..size]);
        }
        layer.layout.store(&self.fast, packed, [state.len, state.fast]);
        if let Some(trace) = state.trace {
            layer.layout.store(&self.trace, packed, [state.len, trace]);
        }
    }

    /// Zeroes the elements that `resets` marks, and what is pending for them.
    pub fn reset<L: Lanes<Real = T>>(&mut self, layer: &ModulatedLayer<L>, resets: Option<&[u8]>) {
        let row = layer.layout.row();
        for element in marked(resets) {
            for rows in [&mut self.hidden, &mut self.before] {
                rows[element * row..(element + 1) * row].fill(T::ZERO);
            }
            self.rates[element] = T::ZERO;
            for matrices in [&mut self.fast, &mut self.trace] {
                if !matrices.is_empty() {
                    layer.layout.clear(self.batch, element, matrices);
                }
            }
        }
    }

    /// Copies the activities to `[B, H]`.
    pub fn emit<L: Lanes<Real = T>>(&self, layer: &ModulatedLayer<L>, hidden: &mut [T]) {
        copy_rows([layer.layout.row(), layer.spec.hidden], &self.hidden, hidden);
    }
}
