//! The exact backward pass of a block, chunk by chunk from the last.

use super::layer::{DiagonalLayer, Number};
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{ProjectionSums, activate_back, copy_rows};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::Activation;

/// Sums over steps and elements.
struct Sums<T: Real> {
    input: ProjectionSums<T>,
    output: ProjectionSums<T>,
    skip: ProjectionSums<T>,
    /// Of λ, `[2, row]`.
    eigenvalues: Lease<T>,
}

impl<L: Lanes> DiagonalLayer<L> {
    /// Runs a block backward.
    pub fn run_back(&self, tape: &[L::Real], adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        let Adjoint { extent, x, resets, hidden, grad_hidden, grad_state, mut grad_x } = adjoint;
        let Extent { steps, batch } = extent;
        let (lanes, input, size, row) = (self.lanes, self.spec.input, self.spec.hidden, self.row);
        let (len, chunk) = (batch * 2 * row, self.chunk(extent));
        let padded = input.next_multiple_of(L::WIDTH);
        let mut sums = Sums {
            input: ProjectionSums::new(&self.input, &self.pool),
            output: ProjectionSums::new(&self.output, &self.pool),
            skip: ProjectionSums::new(&self.skip, &self.pool),
            eigenvalues: self.pool.zeros(2 * row),
        };
        // The gradient of the numbers after the present step, as far as later steps see them.
        let mut carried = self.pool.zeros(len);
        if let Some(grad_state) = &grad_state {
            self.load_numbers(grad_state, &mut carried);
        }
        let mut before = self.pool.lease(len);
        let mut grad_pre = self.pool.lease(chunk * batch * row);
        let mut grad_numbers = self.pool.lease(chunk * len);
        let mut grad_inputs = self.pool.lease(chunk * batch * padded);
        for first in (0..steps).step_by(chunk).rev() {
            let part = first..steps.min(first + chunk);
            let rows = part.len() * batch;
            let (units, inputs) =
                (first * batch * size..part.end * batch * size, first * batch * input..part.end * batch * input);
            let (grad_pre, grad_numbers) = (&mut grad_pre[..rows * row], &mut grad_numbers[..part.len() * len]);
            let grads = (&grad_hidden[units.clone()], size);
            activate_back(self.lanes, Activation::Tanh, [row, size], &hidden[units], grads, grad_pre);
            let numbers = &tape[first * len..(part.end + 1) * len];
            sums.skip.add(lanes, &x[inputs.clone()], input, grad_pre);
            sums.output.add(lanes, &numbers[len..], 2 * row, grad_pre);
            grad_numbers.fill(L::Real::ZERO);
            self.output.add_back(lanes, grad_pre, grad_numbers);
            for (index, t) in part.clone().enumerate().rev() {
                let grad = &mut grad_numbers[index * len..(index + 1) * len];
                for (carried, grad) in carried.iter_mut().zip(grad.iter_mut()) {
                    *carried += *grad;
                    *grad = *carried;
                }
                before.copy_from_slice(&numbers[index * len..(index + 1) * len]);
                let resets = resets_at(resets, batch, t);
                self.reset(resets, &mut before);
                self.turn_back(&before, &mut carried, &mut sums.eigenvalues);
                self.reset(resets, &mut carried);
            }
            sums.input.add(lanes, &x[inputs.clone()], input, grad_numbers);
            if let Some(grad_x) = &mut grad_x {
                let grad_inputs = &mut grad_inputs[..rows * padded];
                grad_inputs.fill(L::Real::ZERO);
                self.skip.add_back(lanes, grad_pre, grad_inputs);
                self.input.add_back(lanes, grad_numbers, grad_inputs);
                copy_rows([padded, input], grad_inputs, &mut grad_x[inputs]);
            }
        }
        if let Some(grad_state) = grad_state {
            self.store_numbers(&carried, grad_state);
        }
        self.give_gradients(&sums, grad_parameters);
    }

    /// From sums for what the kernel works with to gradients of the parameters.
    fn give_gradients(&self, sums: &Sums<L::Real>, packed: &mut [L::Real]) {
        let (input, size, row, places) = (self.spec.input, self.spec.hidden, self.row, &self.spec.places);
        for unit in 0..size {
            let Number { re, im, gamma } = Number::new(&self.spec, &self.packed, unit);
            let mut driving = L::Real::ZERO;
            for (part, place) in places.input.iter().enumerate() {
                for column in 0..input {
                    let (sum, place) = (sums.input.weight(part * row + unit, column), place.at(unit, column));
                    packed[place] = L::Real::of(gamma) * sum;
                    driving += self.packed[place] * sum;
                }
            }
            packed[places.gamma_log.start + unit] = L::Real::of(gamma) * driving;
            // λ = exp(−exp(nu_log) + i·exp(theta_log)): dλ/d nu_log = −exp(nu_log) λ, dλ/d theta_log = i·exp(theta_log) λ.
            let [grad_re, grad_im] = [sums.eigenvalues[unit].wide(), sums.eigenvalues[row + unit].wide()];
            let exp = |start: usize| self.packed[start + unit].wide().exp();
            let (forgetting, turning) = (exp(places.nu_log.start), exp(places.theta_log.start));
            packed[places.nu_log.start + unit] = L::Real::of(-forgetting * (re * grad_re + im * grad_im));
            packed[places.theta_log.start + unit] = L::Real::of(turning * (re * grad_im - im * grad_re));
            for column in 0..size {
                packed[places.output[0].at(unit, column)] = sums.output.weight(unit, column);
                packed[places.output[1].at(unit, column)] = L::Real::ZERO - sums.output.weight(unit, row + column);
            }
            for column in 0..input {
                packed[places.skip.at(unit, column)] = sums.skip.weight(unit, column);
            }
        }
        packed[places.bias.clone()].copy_from_slice(&sums.skip.bias()[..size]);
    }
}
