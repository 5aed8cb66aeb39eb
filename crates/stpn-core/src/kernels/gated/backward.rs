//! The exact backward pass of a block.

use std::ops::Range;

use super::forward::GatedTape;
use super::pointwise::{gru_back, lstm_back};
use super::spec::Source;
use super::state::GatedState;
use super::weights::GatedLayer;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{Left, Right, activate_back, add_rows, copy_rows, normalize_back, product, sum_rows};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, marked, resets_at};
use crate::kernels::{Extent, Real};

/// Sums over steps and elements.
struct Sums<T: Real> {
    /// `[I, lanes of inputs]`
    input: Lease<T>,
    /// `[H, lanes of units]`
    recurrent: Lease<T>,
    /// `[width]`
    bias: Lease<T>,
    /// Gain and offset, `[2, width]`
    norm: Lease<T>,
}

impl<L: Lanes> GatedLayer<L> {
    /// Runs a block backward, chunk by chunk: first the steps, then the products over all of them.
    pub fn run_back(&self, tape: &GatedTape<L::Real>, adjoint: Adjoint<'_, L::Real>, grad_parameters: &mut [L::Real]) {
        let Adjoint { extent, x, resets, hidden, grad_hidden, grad_state, mut grad_x } = adjoint;
        let Extent { steps, batch } = extent;
        let (input, size, len) = (self.spec.input, self.spec.hidden, batch * self.width);
        let chunk = self.chunk(extent);
        let recurrent = if self.spec.recurrent() { size } else { 0 };
        let [of_inputs, of_units] = [Source::Input, Source::Units].map(|source| self.lanes_of(source));
        let mut sums = Sums {
            input: self.pool.zeros(input * of_inputs.len()),
            recurrent: self.pool.zeros(recurrent * of_units.len()),
            bias: self.pool.zeros(self.width),
            norm: self.pool.zeros(self.norm.as_ref().map_or(0, |_| 2 * self.width)),
        };
        // The gradients that the step before receives from the state.
        let mut carried = GatedState::new(self, batch);
        if let Some(grad_state) = &grad_state {
            carried.load(grad_state);
        }
        let mut grad_pre = self.pool.lease(chunk * len);
        let mut before = self.pool.lease(chunk * batch * recurrent);
        for first in (0..steps).step_by(chunk).rev() {
            let part = first..steps.min(first + chunk);
            let rows = part.len() * batch;
            let grad_pre = &mut grad_pre[..part.len() * len];
            let of = |width: usize| first * batch * width..part.end * batch * width;
            if carried.fields.is_empty() {
                let mut padded = self.pool.zeros(rows * self.gate);
                add_rows(self.lanes, [self.gate, size], &grad_hidden[of(size)], &mut padded);
                activate_back(
                    self.lanes,
                    self.activation(),
                    [self.gate, size],
                    &hidden[of(size)],
                    (&padded, self.gate),
                    grad_pre,
                );
            }
            for t in part.clone().rev().filter(|_| recurrent > 0) {
                let range = t * batch * size..(t + 1) * batch * size;
                add_rows(self.lanes, [self.gate, size], &grad_hidden[range.clone()], &mut carried.fields[0]);
                let grad_pre = &mut grad_pre[(t - first) * len..(t - first + 1) * len];
                self.step_back(tape, t, &hidden[range], &mut carried, grad_pre, &mut sums.norm);
                if let Some(weights) = self.recurrent_back() {
                    let grads = &grad_pre[of_units.start..];
                    weights.multiply(self.lanes, batch, grads, self.width, &mut carried.fields[0]);
                }
                carried.reset(resets_at(resets, batch, t));
            }
            let grad_pre = &*grad_pre;
            let grads = |lanes: &Range<usize>| {
                (Right::Rows { values: &grad_pre[lanes.start..], row: self.width }, lanes.len() / L::WIDTH)
            };
            let left = Left { values: &x[of(input)], row: 1, inner: input };
            let (right, vectors) = grads(&of_inputs);
            product(self.lanes, [input, rows, vectors], left, right, &mut sums.input);
            sum_rows(self.lanes, grad_pre, &mut sums.bias);
            if recurrent > 0 {
                let before = &mut before[..rows * size];
                self.activities_before(tape, part.clone(), resets, hidden, before);
                let left = Left { values: before, row: 1, inner: size };
                let (right, vectors) = grads(&of_units);
                product(self.lanes, [size, rows, vectors], left, right, &mut sums.recurrent);
            }
            if let Some(grad_x) = &mut grad_x {
                self.input_gradient(rows, &grad_pre[of_inputs.start..], &mut grad_x[of(input)]);
            }
        }
        if let Some(grad_state) = grad_state {
            carried.store(grad_state);
        }
        self.unpack(Source::Input, self.spec.places.input, &sums.input, grad_parameters);
        if let Some(place) = self.spec.places.recurrent {
            self.unpack(Source::Units, place, &sums.recurrent, grad_parameters);
        }
        for (source, range) in &self.spec.places.biases {
            self.unpack_vector(*source, &sums.bias, &mut grad_parameters[range.clone()]);
        }
        for (range, sums) in self.spec.places.norm.iter().flatten().zip(sums.norm.chunks(self.width)) {
            self.unpack_vector(Source::Input, sums, &mut grad_parameters[range.clone()]);
        }
    }

    /// From the gradients of the state after step t to that of its pre-activations, and of the state before it as far
    /// as no matrix lies between.
    fn step_back(
        &self,
        tape: &GatedTape<L::Real>,
        t: usize,
        hidden: &[L::Real],
        carried: &mut GatedState<L::Real>,
        grad_pre: &mut [L::Real],
        norm_sums: &mut [L::Real],
    ) {
        let (len, batch) = (grad_pre.len(), grad_pre.len() / self.width);
        let units = batch * self.gate;
        match (&mut carried.fields[..], &tape.units) {
            ([grad_hidden, grad_memory], Some(tape)) => {
                let gates = &tape.gates[t * len..(t + 1) * len];
                let memory = &tape.memory[t * units..(t + 1) * units];
                lstm_back(self.lanes, self.gate, gates, memory, grad_hidden, grad_memory, grad_pre);
                grad_hidden.fill(L::Real::ZERO);
                if let (Some(norm), Some((values, deviations))) = (&self.norm, &tape.normed) {
                    let kept = (&values[t * len..(t + 1) * len], &deviations[t * batch..(t + 1) * batch]);
                    normalize_back(self.lanes, self.spec.gates() * self.spec.hidden, norm, kept, grad_pre, norm_sums);
                }
            }
            ([grad_hidden], Some(tape)) => {
                let gates = &tape.gates[t * len..(t + 1) * len];
                let before = &tape.memory[t * units..(t + 1) * units];
                gru_back(self.lanes, self.gate, gates, before, grad_hidden, grad_pre);
            }
            (fields, _) => {
                let sizes = [self.gate, self.spec.hidden];
                activate_back(self.lanes, self.activation(), sizes, hidden, (&fields[0], self.gate), grad_pre);
                fields[0].fill(L::Real::ZERO);
            }
        }
    }

    /// The activities that the steps of a part started from, `[N, H]`.
    fn activities_before(
        &self,
        tape: &GatedTape<L::Real>,
        part: Range<usize>,
        resets: Option<&[u8]>,
        hidden: &[L::Real],
        before: &mut [L::Real],
    ) {
        let size = self.spec.hidden;
        let row = before.len() / part.len();
        for (t, before) in part.zip(before.chunks_exact_mut(row)) {
            match t.checked_sub(1) {
                Some(last) => before.copy_from_slice(&hidden[last * row..t * row]),
                None => copy_rows([self.gate, size], &tape.start, before),
            }
            for element in marked(resets_at(resets, row / size, t)) {
                before[element * size..(element + 1) * size].fill(L::Real::ZERO);
            }
        }
    }

    /// Gradient `[N, I]` of the inputs.
    fn input_gradient(&self, rows: usize, grad_pre: &[L::Real], grad_x: &mut [L::Real]) {
        let (weights, input) = (self.input_back(), self.spec.input);
        let padded = weights.vectors() * L::WIDTH;
        if padded == input {
            grad_x.fill(L::Real::ZERO);
            weights.multiply(self.lanes, rows, grad_pre, self.width, grad_x);
            return;
        }
        let mut sums = self.pool.zeros(rows * padded);
        weights.multiply(self.lanes, rows, grad_pre, self.width, &mut sums);
        copy_rows([padded, input], &sums, grad_x);
    }
}
