//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::layer::AttentiveLayer;
use super::state::AttentiveState;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{Normed, copy_rows, masked_squares, normalize};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};

/// Bytes of pre-activations made by one product.
const CHUNK_BYTES: usize = 1 << 17;

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct AttentiveTape<T: Real> {
    /// h before the first step, `[B, row]`.
    pub start: Vec<T>,
    /// Activities of the inner steps h⁰ to h^S, `[T, S+1, B, row]`.
    pub activities: Lease<T>,
    /// Layer norm: normalised pre-activations `[T, S+1, B, row]` and deviations `[T, S+1, B]`.
    pub normed: Option<(Lease<T>, Lease<T>)>,
    /// F in every `every`-th step.
    pub fast: Lease<T>,
    /// Steps from checkpoint to checkpoint.
    pub every: usize,
}

/// Where one step's records go: those of [`AttentiveTape`].
struct Records<'a, T> {
    activities: &'a mut [T],
    normed: Option<Normed<'a, T>>,
}

impl<L: Lanes> AttentiveLayer<L> {
    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<AttentiveTape<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, len) = (self.spec.input, self.spec.hidden, batch * self.layout.row());
        let chunk = (CHUNK_BYTES / (len * size_of::<L::Real>()).max(1)).clamp(1, steps.max(1));
        let levels = self.spec.config.inner_steps + 1;
        let mut state = AttentiveState::new(self, batch);
        state.load(self, start);
        let lease = |len| self.pool.lease(len);
        let mut tape = tape.then(|| {
            let every = ((steps as f64).sqrt().ceil() as usize).max(1);
            AttentiveTape {
                start: state.hidden.to_vec(),
                activities: lease(steps * levels * len),
                normed: self.norm.is_some().then(|| (lease(steps * levels * len), lease(steps * levels * batch))),
                fast: lease(steps.div_ceil(every) * state.fast.len()),
                every,
            }
        });
        let mut pre = self.pool.lease(chunk * len);
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            let pre = &mut pre[..part.len() * len];
            self.input.apply(self.lanes, &x[first * batch * input..part.end * batch * input], pre);
            for (t, pre) in part.zip(pre.chunks_exact_mut(len)) {
                state.reset(self, resets_at(resets, batch, t));
                let records = tape.as_mut().map(|tape| Records {
                    activities: &mut tape.activities[t * levels * len..(t + 1) * levels * len],
                    normed: tape.normed.as_mut().map(|(values, deviations)| {
                        let deviations = &mut deviations[t * levels * batch..(t + 1) * levels * batch];
                        (&mut values[t * levels * len..(t + 1) * levels * len], deviations)
                    }),
                });
                self.advance(&mut state, pre, records, false);
                if let Some(tape) = tape.as_mut().filter(|tape| t % tape.every == 0) {
                    let place = t / tape.every * state.fast.len();
                    tape.fast[place..place + state.fast.len()].copy_from_slice(&state.fast);
                }
                state.emit(self, &mut hidden[t * batch * size..(t + 1) * batch * size]);
            }
        }
        if let Some(end) = end {
            state.store(self, end);
        }
        tape
    }

    /// One step of a block after its resets, from the inputs' part of the pre-activations `[B, row]`. With `energy`,
    /// adds the inner steps' energy to the state's.
    fn advance(
        &self,
        state: &mut AttentiveState<L::Real>,
        pre: &mut [L::Real],
        mut records: Option<Records<'_, L::Real>>,
        energy: bool,
    ) {
        let (len, row) = (pre.len(), self.layout.row());
        self.recurrent.add(self.lanes, &state.hidden, row, pre);
        for level in 0..=self.spec.config.inner_steps {
            let AttentiveState { batch, hidden, fast, current, inner, .. } = state;
            inner.copy_from_slice(pre);
            for group in self.layout.groups(*batch).filter(|_| level > 0) {
                let learned = (level == 1).then_some(&hidden[..]);
                self.attend(group, learned, current, fast, inner);
            }
            if energy && level > 0 {
                // Of the activities that the inner step began with.
                let AttentiveState { fast, current, energy, .. } = state;
                self.layout.add_energy(self.lanes, fast, (current, row), energy);
            }
            let AttentiveState { batch, current, inner, .. } = state;
            if let Some(norm) = &self.norm {
                let kept = records.as_mut().and_then(|records| records.normed.as_mut()).map(|(values, deviations)| {
                    let deviations = &mut deviations[level * *batch..(level + 1) * *batch];
                    (&mut values[level * len..(level + 1) * len], deviations)
                });
                normalize(self.lanes, self.spec.hidden, norm, inner, kept);
            }
            let lanes = self.lanes;
            lanes.vectorize(
                #[inline(always)]
                || {
                    for (current, inner) in L::vectors_mut(current).iter_mut().zip(L::vectors(inner)) {
                        *current = lanes.tanh(*inner);
                    }
                },
            );
            if let Some(records) = &mut records {
                records.activities[level * len..(level + 1) * len].copy_from_slice(current);
            }
        }
        state.hidden.copy_from_slice(&state.current);
    }

    /// One step of inference.
    pub fn infer(&self, state: &mut AttentiveState<L::Real>, step: Step<'_, L::Real>) {
        let (lanes, row, size) = (self.lanes, self.layout.row(), self.spec.hidden);
        state.reset(self, step.resets);
        if let Some((_, mask)) = &step.energy {
            let AttentiveState { hidden, energy, squares, .. } = state;
            energy.fill(L::Real::ZERO);
            masked_squares(step.x, *mask, squares);
            self.input.add_energy(lanes, squares, self.spec.input, energy);
            masked_squares(hidden, None, squares);
            self.recurrent.add_energy(lanes, squares, row, energy);
        }
        let mut pre = std::mem::replace(&mut state.work, self.pool.lease(0));
        self.input.apply(lanes, step.x, &mut pre);
        self.advance(state, &mut pre, None, step.energy.is_some());
        state.work = pre;
        state.emit(self, step.hidden);
        if let Some((energy, _)) = step.energy {
            copy_rows([row, size], &state.energy, energy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernels::aligned::Pool;
    use crate::kernels::attentive::AttentiveSpec;
    use crate::kernels::lanes::Portable;
    use crate::kernels::layer::Layer;
    use crate::layout::{LayerLayout, Layout};
    use crate::options::FastWeightsConfig;

    #[test]
    fn fast_weights_are_kept_for_the_root_of_the_steps() {
        let (steps, batch, input, hidden) = (400, 2, 3, 5);
        let config = FastWeightsConfig { inner_steps: 1, decay: 0.9, rate: 0.5, layer_norm: false };
        let parameters = Layout::new([("weight", &[hidden, input + hidden][..]), ("bias", &[hidden])]);
        let state = Layout::new([("h", &[hidden][..]), ("F", &[hidden, hidden])]);
        let spec =
            AttentiveSpec::new(&config, &LayerLayout { input, hidden, parameters, state }).expect("all is there");
        let pool = Arc::<Pool<f32>>::default();
        let layer = AttentiveLayer::new(Portable::<f32>::new(), &spec, &[0.1; 100], &pool);
        let (x, mut out) = (vec![0.5; steps * batch * input], vec![0.0; steps * batch * hidden]);
        let state = vec![0.0; batch * spec.state_len];
        let extent = Extent { steps, batch };
        let sequence = Sequence { extent, x: &x, resets: None, start: &state, end: None, hidden: &mut out };
        let tape = layer.run(sequence, true).expect("a tape was asked for");
        assert_eq!(tape.every, 20);
        assert_eq!(tape.fast.len(), 20 * batch * layer.layout.matrix());
    }
}
