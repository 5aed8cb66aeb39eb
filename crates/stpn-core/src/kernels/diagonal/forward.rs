//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::layer::DiagonalLayer;
use super::state::DiagonalState;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{activate, copy_rows, masked_squares};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::Activation;

/// Bytes of complex numbers made by one product.
const CHUNK_BYTES: usize = 1 << 17;

impl<L: Lanes> DiagonalLayer<L> {
    /// Steps whose numbers fill a chunk.
    pub fn chunk(&self, Extent { steps, batch }: Extent) -> usize {
        let bytes = batch * 2 * self.row * size_of::<L::Real>();
        (CHUNK_BYTES / bytes.max(1)).clamp(1, steps.max(1))
    }

    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<Lease<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, len) = (self.spec.input, self.spec.hidden, batch * 2 * self.row);
        let chunk = self.chunk(sequence.extent);
        // The numbers before a chunk, and after each of its steps. Without a tape, every chunk has the same place.
        let mut numbers = self.pool.lease((if tape { steps } else { chunk } + 1) * len);
        self.load_numbers(start, &mut numbers[..len]);
        let mut before = self.pool.lease(len);
        let mut pre = self.pool.lease(chunk * batch * self.row);
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            let place = if tape { first * len } else { 0 };
            let inputs = &x[first * batch * input..part.end * batch * input];
            let numbers = &mut numbers[place..place + (part.len() + 1) * len];
            self.input.apply(self.lanes, inputs, &mut numbers[len..]);
            for (index, t) in part.clone().enumerate() {
                before.copy_from_slice(&numbers[index * len..(index + 1) * len]);
                self.reset(resets_at(resets, batch, t), &mut before);
                self.turn(&before, &mut numbers[(index + 1) * len..(index + 2) * len]);
            }
            let pre = &mut pre[..part.len() * batch * self.row];
            self.read(inputs, &numbers[len..], pre);
            copy_rows([self.row, size], pre, &mut hidden[first * batch * size..part.end * batch * size]);
            if part.end < steps && !tape {
                numbers.copy_within(part.len() * len.., 0);
            }
        }
        if let Some(end) = end {
            let last = if tape { steps } else { steps.saturating_sub(1) % chunk + usize::from(steps > 0) };
            self.store_numbers(&numbers[last * len..(last + 1) * len], end);
        }
        tape.then_some(numbers)
    }

    /// Activities `[N, row]` from inputs `[N, I]` and numbers `[N, 2·row]`.
    fn read(&self, x: &[L::Real], numbers: &[L::Real], pre: &mut [L::Real]) {
        let lanes = self.lanes;
        self.skip.apply(lanes, x, pre);
        self.output.add(lanes, numbers, 2 * self.row, pre);
        activate(lanes, Activation::Tanh, pre);
    }

    /// One step of inference.
    pub fn infer(&self, state: &mut DiagonalState<L::Real>, step: Step<'_, L::Real>) {
        let (lanes, row, size) = (self.lanes, self.row, self.spec.hidden);
        let DiagonalState { numbers, next, pre, squares } = state;
        self.reset(step.resets, numbers);
        self.input.apply(lanes, step.x, next);
        self.turn(numbers, next);
        if let Some((energy, mask)) = step.energy {
            pre.fill(L::Real::ZERO);
            self.add_kept_energy(numbers, pre);
            masked_squares(step.x, mask, squares);
            self.skip.add_energy(lanes, squares, self.spec.input, pre);
            // What drives both parts of a number.
            numbers.fill(L::Real::ZERO);
            self.input.add_energy(lanes, squares, self.spec.input, numbers);
            for (pre, both) in pre.chunks_exact_mut(row).zip(numbers.chunks_exact(2 * row)) {
                for (unit, pre) in pre.iter_mut().enumerate() {
                    *pre += both[unit] + both[row + unit];
                }
            }
            masked_squares(next, None, squares);
            self.output.add_energy(lanes, squares, 2 * row, pre);
            copy_rows([row, size], pre, energy);
        }
        self.read(step.x, next, pre);
        copy_rows([row, size], pre, step.hidden);
        std::mem::swap(numbers, next);
    }
}
