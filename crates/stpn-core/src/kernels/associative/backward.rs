//! The exact backward pass of a block, segment by segment from the last.

use super::forward::AssociativeTape;
use super::layer::{AssociativeLayer, lane};
use super::sweeps::{Backward, Made};
use crate::kernels::Extent;
use crate::kernels::dense::{ProjectionSums, activate_back};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, resets_at};
use crate::options::Activation;

impl<L: Lanes> AssociativeLayer<L> {
    /// Runs a block backward.
    pub fn run_back(
        &self,
        tape: &AssociativeTape<L::Real>,
        adjoint: Adjoint<'_, L::Real>,
        grad_parameters: &mut [L::Real],
    ) {
        let Adjoint { extent: Extent { steps, batch }, x, resets, hidden, grad_hidden, grad_state, mut grad_x } =
            adjoint;
        let (input, size, row, every) = (self.spec.input, self.spec.hidden, self.layout.row(), tape.every);
        let (made_len, given_len, matrices) = (batch * self.width, batch * 3 * row, batch * self.layout.matrix());
        let packing = [self.spec.state_len, self.spec.field.start];
        let made = |t: usize| Made { batch, values: &tape.made[t * made_len..(t + 1) * made_len] };
        let given = |t: usize| &tape.given[t * given_len..(t + 1) * given_len];
        let mut sums = ProjectionSums::new(&self.input, &self.pool);
        // F before every step of a segment.
        let mut fast = self.pool.lease(every * matrices);
        let mut grad_made = self.pool.lease(every * made_len);
        let mut grad_fast = self.pool.zeros(matrices);
        let mut grad_pre = self.pool.zeros(batch * row);
        let mut columns = self.pool.lease(2 * size * L::GROUP * L::WIDTH);
        if let Some(grad_state) = &grad_state {
            self.layout.load(grad_state, packing, &mut grad_fast);
        }
        for (index, first) in (0..steps).step_by(every).enumerate().rev() {
            let part = first..steps.min(first + every);
            fast[..matrices].copy_from_slice(&tape.fast[index * matrices..(index + 1) * matrices]);
            for t in part.start + 1..part.end {
                let place = (t - first) * matrices;
                let (last, next) = fast[place - matrices..place + matrices].split_at_mut(matrices);
                for group in self.layout.groups(batch) {
                    self.follow(group, made(t - 1), given(t - 1), last, next);
                }
                self.reset(batch, resets_at(resets, batch, t), next);
            }
            for t in part.clone().rev() {
                let units = t * batch * size..(t + 1) * batch * size;
                let grads = (&grad_hidden[units.clone()], size);
                activate_back(self.lanes, Activation::Tanh, [row, size], &hidden[units], grads, &mut grad_pre);
                let place = t - first;
                let mut operands = Backward {
                    made: made(t),
                    given: given(t),
                    fast: &fast[place * matrices..(place + 1) * matrices],
                    grad: &grad_pre,
                    grad_fast: &mut grad_fast,
                    grad_made: &mut grad_made[place * made_len..(place + 1) * made_len],
                    columns: &mut columns,
                };
                for group in self.layout.groups(batch) {
                    self.learn_back(group, &mut operands);
                }
                self.reset(batch, resets_at(resets, batch, t), &mut grad_fast);
            }
            let grad_made = &mut grad_made[..part.len() * made_len];
            self.open_back(&tape.made[part.start * made_len..part.end * made_len], grad_made);
            let inputs = first * batch * input..part.end * batch * input;
            sums.add(self.lanes, &x[inputs.clone()], input, grad_made);
            if let Some(grad_x) = &mut grad_x {
                self.input.back(self.lanes, &self.pool, grad_made, &mut grad_x[inputs]);
            }
        }
        if let Some(grad_state) = grad_state {
            self.layout.store(&grad_fast, grad_state, packing);
        }
        for row in 0..self.spec.bias.len() {
            let unit = lane(&self.spec, self.layout, row);
            for column in 0..input {
                grad_parameters[self.spec.weight.at(row, column)] = sums.weight(unit, column);
            }
            grad_parameters[self.spec.bias.start + row] = sums.bias()[unit];
        }
    }
}
