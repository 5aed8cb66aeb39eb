//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::layer::ModulatedLayer;
use super::state::ModulatedState;
use super::sweeps::StepRows;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{copy_rows, masked_squares};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};

/// Bytes of pre-activations made by one product.
const CHUNK_BYTES: usize = 1 << 17;

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct ModulatedTape<T: Real> {
    /// h before the first step, `[B, row]`.
    pub start: Vec<T>,
    /// m `[T, B]`.
    pub rates: Vec<T>,
    /// F before every `every`-th step.
    pub fast: Lease<T>,
    /// The trace before every `every`-th step, where there is one.
    pub trace: Lease<T>,
    /// Steps from checkpoint to checkpoint.
    pub every: usize,
}

impl<L: Lanes> ModulatedLayer<L> {
    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<ModulatedTape<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, len) = (self.spec.input, self.spec.hidden, batch * self.layout.row());
        let chunk = (CHUNK_BYTES / (len * size_of::<L::Real>()).max(1)).clamp(1, steps.max(1));
        let mut state = ModulatedState::new(self, batch);
        state.load(self, start);
        let mut tape = tape.then(|| {
            let every = ((steps as f64).sqrt().ceil() as usize).max(1);
            let (count, rates) = (steps.div_ceil(every), vec![L::Real::ZERO; steps * batch]);
            let [fast, trace] = [state.fast.len(), state.trace.len()].map(|len| self.pool.lease(count * len));
            ModulatedTape { start: state.hidden.to_vec(), rates, fast, trace, every }
        });
        let mut pre = self.pool.lease(chunk * len);
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            let pre = &mut pre[..part.len() * len];
            self.input.apply(self.lanes, &x[first * batch * input..part.end * batch * input], pre);
            for (t, pre) in part.zip(pre.chunks_exact_mut(len)) {
                state.reset(self, resets_at(resets, batch, t));
                self.approach(&mut state, pre);
                if let Some(tape) = tape.as_mut().filter(|tape| t % tape.every == 0) {
                    for (all, now) in [(&mut tape.fast, &state.fast), (&mut tape.trace, &state.trace)] {
                        all[t / tape.every * now.len()..][..now.len()].copy_from_slice(now);
                    }
                }
                self.react(&mut state, pre);
                if let Some(tape) = &mut tape {
                    tape.rates[t * batch..(t + 1) * batch].copy_from_slice(&state.rates[..batch]);
                }
                state.emit(self, &mut hidden[t * batch * size..(t + 1) * batch * size]);
            }
        }
        self.finish(&mut state);
        if let Some(end) = end {
            state.store(self, end);
        }
        tape
    }

    /// Finishes the last step's update, and adds the recurrent product to pre-activations `[B, row]`.
    fn approach(&self, state: &mut ModulatedState<L::Real>, pre: &mut [L::Real]) {
        let ModulatedState { batch, hidden, before, rates, fast, trace, pending, .. } = state;
        for group in self.layout.groups(*batch) {
            let last = pending.then_some(StepRows { post: hidden, pre: before, rates });
            self.advance(group, last, hidden, [fast, trace], pre);
        }
        *pending = false;
    }

    /// Finishes the last step's update alone.
    pub fn finish(&self, state: &mut ModulatedState<L::Real>) {
        if state.pending {
            let mut ignored = self.pool.zeros(state.hidden.len());
            self.approach(state, &mut ignored);
        }
    }

    /// From pre-activations `[B, row]` to activities and rates.
    fn react(&self, state: &mut ModulatedState<L::Real>, pre: &[L::Real]) {
        let (lanes, row) = (self.lanes, self.layout.row());
        let ModulatedState { hidden, before, rates, .. } = state;
        before.copy_from_slice(hidden);
        lanes.vectorize(
            #[inline(always)]
            || {
                for (hidden, pre) in L::vectors_mut(hidden).iter_mut().zip(L::vectors(pre)) {
                    *hidden = lanes.tanh(*pre);
                }
                for (rate, hidden) in rates.iter_mut().zip(hidden.chunks_exact(row)) {
                    *rate = match &self.modulator {
                        None => self.eta,
                        Some((weights, bias)) => {
                            let mut total = lanes.splat(L::Real::ZERO);
                            for (weight, h) in L::vectors(weights).iter().zip(L::vectors(hidden)) {
                                total = lanes.mul_add(*weight, *h, total);
                            }
                            lanes.sum(total) + *bias
                        }
                    };
                }
                if self.modulator.is_some() {
                    L::vectors_mut(rates).iter_mut().for_each(|rates| *rates = lanes.tanh(*rates));
                }
            },
        );
        state.pending = true;
    }

    /// One step of inference.
    pub fn infer(&self, state: &mut ModulatedState<L::Real>, step: Step<'_, L::Real>) {
        state.reset(self, step.resets);
        if let Some((energy, mask)) = step.energy {
            self.finish(state);
            self.energy(state, step.x, mask, energy);
        }
        let mut pre = std::mem::replace(&mut state.work, self.pool.lease(0));
        self.input.apply(self.lanes, step.x, &mut pre);
        self.approach(state, &mut pre);
        self.react(state, &pre);
        state.work = pre;
        state.emit(self, step.hidden);
    }

    /// Energies `[B, H]` of a step from x and the state before it: Σ|W_x|x² + Σ|W + αF|h².
    fn energy(
        &self,
        state: &mut ModulatedState<L::Real>,
        x: &[L::Real],
        mask: Option<&[L::Real]>,
        energy: &mut [L::Real],
    ) {
        let (lanes, row, size) = (self.lanes, self.layout.row(), self.spec.hidden);
        let ModulatedState { batch, hidden, fast, work, squares, .. } = state;
        masked_squares(x, mask, squares);
        work.fill(L::Real::ZERO);
        self.input.add_energy(lanes, squares, self.spec.input, work);
        for group in self.layout.groups(*batch) {
            let fast = L::vectors(&fast[self.layout.matrices(group)]);
            lanes.vectorize(
                #[inline(always)]
                || {
                    for e in 0..group.width {
                        let rows = (group.first + e) * row..(group.first + e + 1) * row;
                        let (hidden, work) = (&hidden[rows.clone()], L::vectors_mut(&mut work[rows]));
                        for (index, entry) in L::vectors(&self.table).as_chunks::<2>().0.iter().enumerate() {
                            let (block, j) = (index / size, index % size);
                            let effective = lanes.mul_add(entry[1], fast[index * group.width + e], entry[0]);
                            let square = lanes.splat(hidden[j] * hidden[j]);
                            work[block] = lanes.mul_add(lanes.abs(effective), square, work[block]);
                        }
                    }
                },
            );
        }
        copy_rows([row, size], work, energy);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernels::aligned::Pool;
    use crate::kernels::lanes::Portable;
    use crate::kernels::layer::Layer;
    use crate::kernels::modulated::ModulatedSpec;
    use crate::layout::{LayerLayout, Layout};
    use crate::options::{BackpropamineConfig, Bound, Modulation};

    #[test]
    fn fast_weights_are_kept_for_the_root_of_the_steps() {
        let (steps, batch, input, hidden) = (400, 2, 3, 5);
        let config = BackpropamineConfig { modulation: Modulation::Retroactive, bound: Bound::SoftClamp };
        let square = &[hidden, hidden][..];
        let parameters = Layout::new([
            ("weight_ih", &[hidden, input][..]),
            ("bias", &[hidden]),
            ("weight_hh", square),
            ("alpha", square),
            ("eta", &[1]),
            ("modulator.weight", &[1, hidden]),
            ("modulator.bias", &[1]),
        ]);
        let state = Layout::new([("h", &[hidden][..]), ("F", square), ("trace", square)]);
        let spec =
            ModulatedSpec::new(&config, &LayerLayout { input, hidden, parameters, state }).expect("all is there");
        let pool = Arc::<Pool<f32>>::default();
        let layer = ModulatedLayer::new(Portable::<f32>::new(), &spec, &[0.1; 100], &pool);
        let (x, mut out) = (vec![0.5; steps * batch * input], vec![0.0; steps * batch * hidden]);
        let state = vec![0.0; batch * spec.state.len];
        let extent = Extent { steps, batch };
        let sequence = Sequence { extent, x: &x, resets: None, start: &state, end: None, hidden: &mut out };
        let tape = layer.run(sequence, true).expect("a tape was asked for");
        assert_eq!(tape.every, 20);
        assert_eq!(tape.fast.len(), 20 * batch * layer.layout.matrix());
        assert_eq!(tape.trace.len(), tape.fast.len());
    }
}
