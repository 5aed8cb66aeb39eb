//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::layer::{AssociativeLayer, KEY, QUERY};
use super::state::AssociativeState;
use super::sweeps::Made;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{activate, copy_rows, masked_squares};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::{Activation, AssociativeRule};

/// Bytes of what inputs make by one product.
const CHUNK_BYTES: usize = 1 << 17;

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct AssociativeTape<T: Real> {
    /// What inputs made: unit vectors, values and gates, `[T, B, width]`.
    pub made: Lease<T>,
    /// What F gave before it learned: F q̂, F k̂, and e, which it then learned, `[T, B, 3·row]`.
    pub given: Lease<T>,
    /// F before every `every`-th step.
    pub fast: Lease<T>,
    /// Steps from checkpoint to checkpoint.
    pub every: usize,
}

impl<L: Lanes> AssociativeLayer<L> {
    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<AssociativeTape<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, row) = (self.spec.input, self.spec.hidden, self.layout.row());
        let (made_len, given_len, matrices) = (batch * self.width, batch * 3 * row, batch * self.layout.matrix());
        let chunk = (CHUNK_BYTES / (made_len * size_of::<L::Real>()).max(1)).clamp(1, steps.max(1));
        let packing = [self.spec.state_len, self.spec.field.start];
        let mut fast = self.pool.zeros(matrices);
        self.layout.load(start, packing, &mut fast);
        let every = ((steps as f64).sqrt().ceil() as usize).max(1);
        let lease = |steps: usize, len: usize| self.pool.lease(steps * len);
        let mut tape = tape.then(|| AssociativeTape {
            made: lease(steps, made_len),
            given: lease(steps, given_len),
            fast: lease(steps.div_ceil(every), matrices),
            every,
        });
        let mut scratch = None;
        let mut activities = lease(1, batch * row);
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            // Without a tape, every chunk has the same place.
            let place = if tape.is_some() { first } else { 0 };
            let (made, given, mut kept) = match &mut tape {
                Some(AssociativeTape { made, given, fast, .. }) => (made, given, Some(fast)),
                None => {
                    let (made, given) =
                        scratch.get_or_insert_with(|| (lease(chunk, made_len), lease(chunk, given_len)));
                    (made, given, None)
                }
            };
            let made = &mut made[place * made_len..(place + part.len()) * made_len];
            let given = &mut given[place * given_len..(place + part.len()) * given_len];
            self.input.apply(self.lanes, &x[first * batch * input..part.end * batch * input], made);
            self.open(made);
            for (t, (made, given)) in part.zip(made.chunks_exact(made_len).zip(given.chunks_exact_mut(given_len))) {
                self.reset(batch, resets_at(resets, batch, t), &mut fast);
                if let Some(kept) = kept.as_mut().filter(|_| t % every == 0) {
                    kept[t / every * matrices..(t / every + 1) * matrices].copy_from_slice(&fast);
                }
                self.advance(Made { batch, values: made }, &mut fast, given, &mut activities);
                copy_rows([row, size], &activities, &mut hidden[t * batch * size..(t + 1) * batch * size]);
            }
        }
        if let Some(end) = end {
            self.layout.store(&fast, end, packing);
        }
        tape
    }

    /// One step of all matrices of a block: what they give, what they learn, and the activities `[B, row]`.
    fn advance(
        &self,
        made: Made<'_, L::Real>,
        fast: &mut [L::Real],
        given: &mut [L::Real],
        activities: &mut [L::Real],
    ) {
        for group in self.layout.groups(made.batch) {
            self.learn(group, made, fast, given, activities);
        }
        activate(self.lanes, Activation::Tanh, activities);
    }

    /// One step of inference.
    pub fn infer(&self, state: &mut AssociativeState<L::Real>, step: Step<'_, L::Real>) {
        let (row, size) = (self.layout.row(), self.spec.hidden);
        let AssociativeState { batch, fast, made, given, hidden, energy: rows, squares } = state;
        let batch = *batch;
        self.reset(batch, step.resets, fast);
        self.input.apply(self.lanes, step.x, made);
        self.open(made);
        let of_step = Made { batch, values: made };
        let Some((energy, mask)) = step.energy else {
            self.advance(of_step, fast, given, hidden);
            return copy_rows([row, size], hidden, step.hidden);
        };
        masked_squares(step.x, mask, squares);
        rows.fill(L::Real::ZERO);
        self.input.add_energy(self.lanes, squares, self.spec.input, rows);
        let mut sums = self.pool.zeros(batch * row);
        self.gather(rows, &mut sums);
        if self.spec.rule == AssociativeRule::Delta {
            self.layout.add_energy(self.lanes, fast, (&made[KEY * row..], self.width), &mut sums);
        }
        self.advance(of_step, fast, given, hidden);
        self.layout.add_energy(self.lanes, fast, (&made[QUERY * row..], self.width), &mut sums);
        copy_rows([row, size], &sums, energy);
        copy_rows([row, size], hidden, step.hidden);
    }
}
