//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::layer::StackedLayer;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{activate, copy_rows, masked_squares};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::Activation;

/// Bytes of activities made by one product.
const CHUNK_BYTES: usize = 1 << 17;

/// The state of a block, and what a step works in.
#[derive(Debug)]
pub struct StackedState<T: Real> {
    /// `[B, S]`
    pub packed: Vec<T>,
    /// `[B, width]`
    seen: Vec<T>,
    /// `[B, row]`
    work: Lease<T>,
    /// Squares of what is seen.
    squares: Vec<T>,
}

impl<T: Real> StackedState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &StackedLayer<L>, batch: usize) -> Self {
        let zeros = |len: usize| vec![T::ZERO; batch * len];
        let (packed, seen) = (zeros(layer.spec.state_len), zeros(layer.spec.width()));
        Self { packed, seen, work: layer.pool.zeros(batch * layer.row), squares: Vec::new() }
    }
}

impl<L: Lanes> StackedLayer<L> {
    /// Steps whose activities fill a chunk.
    pub fn chunk(&self, Extent { steps, batch }: Extent) -> usize {
        let bytes = batch * self.row * size_of::<L::Real>();
        (CHUNK_BYTES / bytes.max(1)).clamp(1, steps.max(1))
    }

    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Lease<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, len) = (self.spec.input, self.spec.hidden, batch * self.spec.width());
        let chunk = self.chunk(sequence.extent);
        let mut packed = start.to_vec();
        let mut seen = self.pool.lease(if tape { steps } else { chunk } * len);
        let mut work = self.pool.lease(chunk * batch * self.row);
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            // Without a tape, every chunk has the same place.
            let place = if tape { first * len } else { 0 };
            let seen = &mut seen[place..place + part.len() * len];
            for (t, seen) in part.clone().zip(seen.chunks_exact_mut(len)) {
                let x = &x[t * batch * input..(t + 1) * batch * input];
                self.stack(x, resets_at(resets, batch, t), &mut packed, seen);
            }
            let work = &mut work[..part.len() * batch * self.row];
            self.activate(seen, work);
            copy_rows([self.row, size], work, &mut hidden[first * batch * size..part.end * batch * size]);
        }
        if let Some(end) = end {
            end.copy_from_slice(&packed);
        }
        tape.then_some(seen)
    }

    /// Activities `[N, row]` from what is seen.
    fn activate(&self, seen: &[L::Real], work: &mut [L::Real]) {
        let lanes = self.lanes;
        self.seen.apply(lanes, seen, work);
        activate(lanes, Activation::Tanh, work);
    }

    /// One step of inference.
    pub fn infer(&self, state: &mut StackedState<L::Real>, step: Step<'_, L::Real>) {
        let (input, size, width) = (self.spec.input, self.spec.hidden, self.spec.width());
        let StackedState { packed, seen, work, squares } = state;
        self.stack(step.x, step.resets, packed, seen);
        if let Some((energy, mask)) = step.energy {
            masked_squares(seen, None, squares);
            if let Some(mask) = mask {
                for squares in squares.chunks_exact_mut(width) {
                    squares[..input].iter_mut().zip(mask).for_each(|(square, mask)| *square *= *mask * *mask);
                }
            }
            work.fill(L::Real::ZERO);
            self.seen.add_energy(self.lanes, squares, width, work);
            copy_rows([self.row, size], work, energy);
        }
        self.activate(seen, work);
        copy_rows([self.row, size], work, step.hidden);
    }
}
