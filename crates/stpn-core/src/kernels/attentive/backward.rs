//! The exact backward pass of a block, segment by segment from the last.

use super::forward::AttentiveTape;
use super::layer::AttentiveLayer;
use super::state::{load_state, reset_state, store_state};
use super::sweeps::InnerSums;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{ProjectionSums, add_rows, normalize_back, take_rows};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, marked, resets_at};
use crate::kernels::{Extent, Real};

/// Gradients of the state, sums over steps and elements, and rows to work in.
struct Gradients<T: Real> {
    /// `[B, row]`
    hidden: Lease<T>,
    fast: Lease<T>,
    input: ProjectionSums<T>,
    recurrent: ProjectionSums<T>,
    /// Gain and offset, `[2, row]`.
    norm: Lease<T>,
    /// Of the activity of the present inner step, `[B, row]`, and then of its pre-activation.
    inner: Lease<T>,
    /// Of the activity before it, `[B, row]`.
    current: Lease<T>,
    columns: Lease<T>,
}

impl<L: Lanes> AttentiveLayer<L> {
    /// Runs a block backward.
    pub fn run_back(
        &self,
        tape: &AttentiveTape<L::Real>,
        adjoint: Adjoint<'_, L::Real>,
        grad_parameters: &mut [L::Real],
    ) {
        let Adjoint { extent: Extent { steps, batch }, x, resets, hidden, grad_hidden, grad_state, mut grad_x } =
            adjoint;
        let (input, size, row) = (self.spec.input, self.spec.hidden, self.layout.row());
        let (rows, matrices, every) = (batch * row, batch * self.layout.matrix(), tape.every);
        // F in every step of a segment, h before it, and the gradient of its pre-activations.
        let mut fast = self.pool.lease(every * matrices);
        let mut before = self.pool.zeros(every * rows);
        let mut grad_pre = self.pool.lease(every * rows);
        let zeros = |len| self.pool.zeros(len);
        let mut gradients = Gradients {
            hidden: zeros(rows),
            fast: zeros(matrices),
            input: ProjectionSums::new(&self.input, &self.pool),
            recurrent: ProjectionSums::new(&self.recurrent, &self.pool),
            norm: zeros(2 * row),
            inner: zeros(rows),
            current: zeros(rows),
            columns: zeros(2 * size * L::GROUP * L::WIDTH),
        };
        if let Some(grad_state) = &grad_state {
            load_state(self, grad_state, &mut gradients.hidden, &mut gradients.fast);
        }
        for (index, first) in (0..steps).step_by(every).enumerate().rev() {
            let part = first..steps.min(first + every);
            for (t, before) in part.clone().zip(before.chunks_exact_mut(rows)) {
                match t.checked_sub(1) {
                    Some(last) => take_rows([row, size], &hidden[last * batch * size..t * batch * size], before),
                    None => before.copy_from_slice(&tape.start),
                }
                for element in marked(resets_at(resets, batch, t)) {
                    before[element * row..(element + 1) * row].fill(L::Real::ZERO);
                }
            }
            fast[..matrices].copy_from_slice(&tape.fast[index * matrices..(index + 1) * matrices]);
            for t in part.start + 1..part.end {
                let place = t - first;
                let (last, next) = fast[(place - 1) * matrices..(place + 1) * matrices].split_at_mut(matrices);
                for group in self.layout.groups(batch) {
                    self.follow(group, &before[place * rows..(place + 1) * rows], last, next);
                }
                for element in marked(resets_at(resets, batch, t)) {
                    self.layout.clear(batch, element, next);
                }
            }
            for t in part.clone().rev() {
                let (range, place) = (t * batch * size..(t + 1) * batch * size, t - first);
                add_rows(self.lanes, [row, size], &grad_hidden[range], &mut gradients.hidden);
                let here = place * rows..(place + 1) * rows;
                let fast = &fast[place * matrices..(place + 1) * matrices];
                self.step_back(tape, t, &before[here.clone()], fast, &mut gradients, &mut grad_pre[here]);
                reset_state(self, resets_at(resets, batch, t), &mut gradients.hidden, &mut gradients.fast);
            }
            let inputs = first * batch * input..part.end * batch * input;
            let grad_pre = &grad_pre[..part.len() * rows];
            gradients.input.add(self.lanes, &x[inputs.clone()], input, grad_pre);
            gradients.recurrent.add(self.lanes, &before, row, grad_pre);
            if let Some(grad_x) = &mut grad_x {
                self.input.back(self.lanes, &self.pool, grad_pre, &mut grad_x[inputs]);
            }
        }
        if let Some(grad_state) = grad_state {
            store_state(self, &gradients.hidden, &gradients.fast, grad_state);
        }
        self.give_gradients(&gradients, grad_parameters);
    }

    /// From the gradients of the state after step t to those of the state before it.
    fn step_back(
        &self,
        tape: &AttentiveTape<L::Real>,
        t: usize,
        before: &[L::Real],
        fast: &[L::Real],
        gradients: &mut Gradients<L::Real>,
        grad_pre: &mut [L::Real],
    ) {
        let (lanes, len) = (self.lanes, before.len());
        let (batch, levels) = (len / self.layout.row(), self.spec.config.inner_steps + 1);
        let Gradients { hidden, fast: grad_fast, norm: norm_sums, inner, current: grad_current, columns, .. } =
            gradients;
        inner.copy_from_slice(hidden);
        hidden.fill(L::Real::ZERO);
        grad_pre.fill(L::Real::ZERO);
        for level in (0..levels).rev() {
            let place = t * levels + level;
            let activity = &tape.activities[place * len..(place + 1) * len];
            lanes.vectorize(
                #[inline(always)]
                || {
                    for (grad, h) in inner.iter_mut().zip(activity) {
                        *grad *= L::Real::ONE - *h * *h;
                    }
                },
            );
            if let (Some(norm), Some((values, deviations))) = (&self.norm, &tape.normed) {
                let deviations = &deviations[place * batch..(place + 1) * batch];
                let kept = (&values[place * len..(place + 1) * len], deviations);
                normalize_back(lanes, self.spec.hidden, norm, kept, inner, norm_sums);
            }
            lanes.vectorize(
                #[inline(always)]
                || {
                    for (sum, grad) in grad_pre.iter_mut().zip(inner.iter()) {
                        *sum += *grad;
                    }
                },
            );
            if level == 0 {
                break;
            }
            let current = &tape.activities[(place - 1) * len..place * len];
            for group in self.layout.groups(batch) {
                let mut sums = InnerSums { fast: grad_fast, current: grad_current, before: hidden, columns };
                let learned = (level == 1).then_some(before);
                self.attend_back(group, learned, [current, inner], fast, &mut sums);
            }
            inner.copy_from_slice(grad_current);
        }
        self.recurrent.add_back(lanes, grad_pre, hidden);
    }

    fn give_gradients(&self, gradients: &Gradients<L::Real>, packed: &mut [L::Real]) {
        let (input, size, row, places) = (self.spec.input, self.spec.hidden, self.layout.row(), &self.spec.places);
        let recurrent = places.weight.from_column(input);
        for unit in 0..size {
            for column in 0..input {
                packed[places.weight.at(unit, column)] = gradients.input.weight(unit, column);
            }
            for column in 0..size {
                packed[recurrent.at(unit, column)] = gradients.recurrent.weight(unit, column);
            }
        }
        packed[places.bias.clone()].copy_from_slice(&gradients.input.bias()[..size]);
        for (range, sums) in places.norm.iter().flatten().zip(gradients.norm.chunks_exact(row)) {
            packed[range.clone()].copy_from_slice(&sums[..size]);
        }
    }
}
