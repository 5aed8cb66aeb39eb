//! The exact backward pass of a block, chunk by chunk from the last.

use super::layer::StackedLayer;
use crate::kernels::dense::{ProjectionSums, activate_back};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::Activation;

impl<L: Lanes> StackedLayer<L> {
    /// Runs a block backward.
    pub fn run_back(&self, tape: &[L::Real], adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        let Adjoint { extent, resets, hidden, grad_hidden, grad_state, mut grad_x, .. } = adjoint;
        let Extent { steps, batch } = extent;
        let (input, size, row, width) = (self.spec.input, self.spec.hidden, self.row, self.spec.width());
        let (len, chunk) = (batch * width, self.chunk(extent));
        let mut sums = ProjectionSums::new(&self.seen, &self.pool);
        // The gradient of the state after the present step.
        let mut carried = match &grad_state {
            Some(grad_state) => grad_state.to_vec(),
            None => vec![L::Real::ZERO; batch * self.spec.state_len],
        };
        let mut grad_pre = self.pool.zeros(chunk * batch * row);
        let mut grad_seen = self.pool.lease(chunk * len);
        for first in (0..steps).step_by(chunk).rev() {
            let part = first..steps.min(first + chunk);
            let units = first * batch * size..part.end * batch * size;
            let grad_pre = &mut grad_pre[..part.len() * batch * row];
            let grads = (&grad_hidden[units.clone()], size);
            activate_back(self.lanes, Activation::Tanh, [row, size], &hidden[units], grads, grad_pre);
            let seen = &tape[first * len..part.end * len];
            sums.add(self.lanes, seen, width, grad_pre);
            let grad_seen = &mut grad_seen[..part.len() * len];
            self.seen.back(self.lanes, &self.pool, grad_pre, grad_seen);
            for t in part.clone().rev() {
                let here = (t - first) * len..(t - first + 1) * len;
                let inputs = t * batch * input..(t + 1) * batch * input;
                let grad_x = grad_x.as_mut().map(|grad_x| &mut grad_x[inputs]);
                self.unstack(&seen[here.clone()], &grad_seen[here], resets_at(resets, batch, t), &mut carried, grad_x);
            }
        }
        if let Some(grad_state) = grad_state {
            grad_state.copy_from_slice(&carried);
        }
        for unit in 0..size {
            for column in 0..width {
                grad_parameters[self.spec.weight.at(unit, column)] = sums.weight(unit, column);
            }
        }
        grad_parameters[self.spec.bias.clone()].copy_from_slice(&sums.bias()[..size]);
    }
}
