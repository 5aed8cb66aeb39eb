//! One step of the stack: what is seen, and what is kept for the next step.

use super::layer::StackedLayer;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

impl<L: Lanes> StackedLayer<L> {
    /// Writes what a step sees, `[B, width]`, from x `[B, I]` and packed states `[B, S]` after their resets, which become
    /// those after the step.
    pub fn stack(&self, x: &[L::Real], resets: Option<&[u8]>, packed: &mut [L::Real], seen: &mut [L::Real]) {
        let (input, len) = (self.spec.input, self.spec.state_len);
        for element in marked(resets) {
            packed[element * len..(element + 1) * len].fill(L::Real::ZERO);
        }
        for (element, (x, seen)) in x.chunks_exact(input).zip(seen.chunks_exact_mut(self.spec.width())).enumerate() {
            let state = &mut packed[element * len..(element + 1) * len];
            let (present, past) = seen.split_at_mut(input);
            present.copy_from_slice(x);
            let inputs = &mut state[self.spec.inputs.clone()];
            let (past, features) = past.split_at_mut(inputs.len());
            past.copy_from_slice(inputs);
            if let Some(kept) = inputs.len().checked_sub(input) {
                inputs.copy_within(..kept, input);
                inputs[..input].copy_from_slice(x);
            }
            if let Some(place) = self.spec.time {
                let time = state[place].wide();
                for (pair, frequency) in features.chunks_exact_mut(2).zip(&self.frequencies) {
                    let (sin, cos) = (time * frequency).sin_cos();
                    (pair[0], pair[1]) = (L::Real::of(sin), L::Real::of(cos));
                }
                state[place] += L::Real::ONE;
            }
        }
    }

    /// Backward of [`Self::stack`]: from the gradients of what was seen `[B, width]` and of the states after the step
    /// `[B, S]`, which become those of the states before it. Writes those of x, if they are wanted.
    pub fn unstack(
        &self,
        seen: &[L::Real],
        grad_seen: &[L::Real],
        resets: Option<&[u8]>,
        grad_state: &mut [L::Real],
        mut grad_x: Option<&mut [L::Real]>,
    ) {
        let (input, len, width) = (self.spec.input, self.spec.state_len, self.spec.width());
        for (element, (seen, grad)) in seen.chunks_exact(width).zip(grad_seen.chunks_exact(width)).enumerate() {
            let state = &mut grad_state[element * len..(element + 1) * len];
            let inputs = &mut state[self.spec.inputs.clone()];
            let (past, features) = grad[input..].split_at(inputs.len());
            if let Some(grad_x) = grad_x.as_mut() {
                let grad_x = &mut grad_x[element * input..(element + 1) * input];
                grad_x.copy_from_slice(&grad[..input]);
                // The next step sees x as the latest of the past.
                for (grad_x, kept) in grad_x.iter_mut().zip(inputs.iter()) {
                    *grad_x += *kept;
                }
            }
            if let Some(kept) = inputs.len().checked_sub(input) {
                inputs.copy_within(input.., 0);
                inputs[kept..].fill(L::Real::ZERO);
                for (grad, past) in inputs.iter_mut().zip(past) {
                    *grad += *past;
                }
            }
            if let Some(place) = self.spec.time {
                let pairs = seen[input + past.len()..].chunks_exact(2).zip(features.chunks_exact(2));
                for ((pair, grad), frequency) in pairs.zip(&self.frequencies) {
                    // Of sin ωt and cos ωt.
                    state[place] += L::Real::of(*frequency) * (grad[0] * pair[1] - grad[1] * pair[0]);
                }
            }
        }
        for element in marked(resets) {
            grad_state[element * len..(element + 1) * len].fill(L::Real::ZERO);
        }
    }
}
