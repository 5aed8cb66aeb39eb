//! The exact backward pass of a block, segment by segment from the last.

use super::forward::ModulatedTape;
use super::layer::ModulatedLayer;
use super::sweeps::{StepRows, UpdateSums};
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{Left, ProjectionSums, Right, add_rows, product, take_rows};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Adjoint, marked, resets_at};
use crate::kernels::{Extent, Real};

/// What a segment of steps is made of again.
struct Segment<T: Real> {
    /// F before every step of the segment.
    fast: Lease<T>,
    /// The trace before every step.
    trace: Lease<T>,
    /// h before every step, `[n, B, row]`.
    before: Lease<T>,
    /// h after every step, `[n, B, row]`.
    after: Lease<T>,
    /// Gradients of the pre-activations, `[n, B, row]`.
    grad_pre: Lease<T>,
}

/// Gradients of the state, and sums over steps and elements.
struct Gradients<T: Real> {
    /// `[B, row]`
    hidden: Lease<T>,
    fast: Lease<T>,
    trace: Lease<T>,
    /// `[H, row]`
    weight: Lease<T>,
    /// `[blocks, H]` of vectors.
    alpha: Lease<T>,
    input: ProjectionSums<T>,
    eta: f64,
    /// `[H]` and the bias.
    modulator: Vec<f64>,
    modulator_bias: f64,
    /// Partial sums over units.
    columns: Lease<T>,
    /// Of each element: rates, and η in the trace.
    rates: Vec<T>,
    etas: Vec<T>,
}

impl<L: Lanes> ModulatedLayer<L> {
    /// Runs a block backward.
    pub fn run_back(
        &self,
        tape: &ModulatedTape<L::Real>,
        adjoint: Adjoint<'_, L::Real>,
        grad_parameters: &mut [L::Real],
    ) {
        let Adjoint { extent: Extent { steps, batch }, x, resets, hidden, grad_hidden, grad_state, mut grad_x } =
            adjoint;
        let (input, size, row) = (self.spec.input, self.spec.hidden, self.layout.row());
        let (rows, matrices) = (batch * row, batch * self.layout.matrix());
        let traces = if self.spec.retroactive() { matrices } else { 0 };
        let every = tape.every;
        let lease = |len| self.pool.lease(len);
        let mut segment = Segment {
            fast: lease(every * matrices),
            trace: lease(every * traces),
            before: self.pool.zeros(every * rows),
            after: self.pool.zeros(every * rows),
            grad_pre: lease(every * rows),
        };
        let mut gradients = self.final_gradients(batch, grad_state.as_deref());
        for (index, first) in (0..steps).step_by(every).enumerate().rev() {
            let part = first..steps.min(first + every);
            for (t, place) in part.clone().zip((0..).step_by(rows)) {
                let after = &mut segment.after[place..place + rows];
                take_rows([row, size], &hidden[t * batch * size..(t + 1) * batch * size], after);
                let before = &mut segment.before[place..place + rows];
                match t.checked_sub(1) {
                    Some(last) => take_rows([row, size], &hidden[last * batch * size..t * batch * size], before),
                    None => before.copy_from_slice(&tape.start),
                }
                for element in marked(resets_at(resets, batch, t)) {
                    before[element * row..(element + 1) * row].fill(L::Real::ZERO);
                }
            }
            segment.fast[..matrices].copy_from_slice(&tape.fast[index * matrices..(index + 1) * matrices]);
            segment.trace[..traces].copy_from_slice(&tape.trace[index * traces..(index + 1) * traces]);
            for t in part.start + 1..part.end {
                let (place, resets) = (t - 1 - first, resets_at(resets, batch, t));
                self.remake(&mut segment, place, batch, &tape.rates[(t - 1) * batch..t * batch], resets);
            }
            for t in part.clone().rev() {
                let range = t * batch * size..(t + 1) * batch * size;
                add_rows(self.lanes, [row, size], &grad_hidden[range], &mut gradients.hidden);
                self.step_back(&mut segment, t - first, &tape.rates[t * batch..(t + 1) * batch], &mut gradients);
                for element in marked(resets_at(resets, batch, t)) {
                    gradients.hidden[element * row..(element + 1) * row].fill(L::Real::ZERO);
                    self.layout.clear(batch, element, &mut gradients.fast);
                    if traces > 0 {
                        self.layout.clear(batch, element, &mut gradients.trace);
                    }
                }
            }
            let inputs = first * batch * input..part.end * batch * input;
            let grad_pre = &segment.grad_pre[..part.len() * rows];
            gradients.input.add(self.lanes, &x[inputs.clone()], input, grad_pre);
            let left = Left { values: &segment.before, row: 1, inner: row };
            let right = Right::Rows { values: grad_pre, row };
            product(self.lanes, [size, part.len() * batch, row / L::WIDTH], left, right, &mut gradients.weight);
            if let Some(grad_x) = &mut grad_x {
                self.input.back(self.lanes, &self.pool, grad_pre, &mut grad_x[inputs]);
            }
        }
        if let Some(grad_state) = grad_state {
            self.give_state_gradient(&gradients, grad_state);
        }
        self.give_gradients(&gradients, grad_parameters);
    }

    fn final_gradients(&self, batch: usize, grad_state: Option<&[L::Real]>) -> Gradients<L::Real> {
        let (size, row, state) = (self.spec.hidden, self.layout.row(), &self.spec.state);
        let zeros = |len| self.pool.zeros(len);
        let matrices = batch * self.layout.matrix();
        let mut gradients = Gradients {
            hidden: zeros(batch * row),
            fast: zeros(matrices),
            trace: zeros(if self.spec.retroactive() { matrices } else { 0 }),
            weight: zeros(size * row),
            alpha: zeros(self.layout.matrix()),
            input: ProjectionSums::new(&self.input, &self.pool),
            eta: 0.0,
            modulator: vec![0.0; size],
            modulator_bias: 0.0,
            columns: zeros(size * L::GROUP * L::WIDTH),
            rates: vec![L::Real::ZERO; batch],
            etas: vec![L::Real::ZERO; batch],
        };
        let Some(grad_state) = grad_state else { return gradients };
        for (hidden, packed) in gradients.hidden.chunks_exact_mut(row).zip(grad_state.chunks_exact(state.len)) {
            hidden[..size].copy_from_slice(&packed[state.hidden.clone()]);
        }
        self.layout.load(grad_state, [state.len, state.fast], &mut gradients.fast);
        if let Some(trace) = state.trace {
            self.layout.load(grad_state, [state.len, trace], &mut gradients.trace);
        }
        gradients
    }

    /// Makes F and trace before step `place + 1` of the segment from those before step `place`.
    fn remake(
        &self,
        segment: &mut Segment<L::Real>,
        place: usize,
        batch: usize,
        rates: &[L::Real],
        resets: Option<&[u8]>,
    ) {
        let rows = batch * self.layout.row();
        let here = place * rows..(place + 1) * rows;
        let step = StepRows { post: &segment.after[here.clone()], pre: &segment.before[here], rates };
        let len = batch * self.layout.matrix();
        let traces = if self.spec.retroactive() { len } else { 0 };
        let (fast, next_fast) = segment.fast[place * len..(place + 2) * len].split_at_mut(len);
        let (trace, next_trace) = segment.trace[place * traces..(place + 2) * traces].split_at_mut(traces);
        for group in self.layout.groups(batch) {
            self.follow(group, step, [fast, trace], [next_fast, next_trace]);
        }
        for element in marked(resets) {
            self.layout.clear(batch, element, next_fast);
            if traces > 0 {
                self.layout.clear(batch, element, next_trace);
            }
        }
    }

    /// From the gradients of the state after a step to those of the state before it.
    fn step_back(
        &self,
        segment: &mut Segment<L::Real>,
        place: usize,
        rates: &[L::Real],
        gradients: &mut Gradients<L::Real>,
    ) {
        let (lanes, row, batch) = (self.lanes, self.layout.row(), rates.len());
        let (rows, len) = (batch * row, batch * self.layout.matrix());
        let traces = if self.spec.retroactive() { len } else { 0 };
        let here = place * rows..(place + 1) * rows;
        let step = StepRows { post: &segment.after[here.clone()], pre: &segment.before[here.clone()], rates };
        let fast = &segment.fast[place * len..(place + 1) * len];
        let trace = &segment.trace[place * traces..(place + 1) * traces];
        let grad_pre = &mut segment.grad_pre[here];
        let Gradients { hidden, fast: grad_fast, trace: grad_trace, alpha, columns, .. } = gradients;
        for group in self.layout.groups(batch) {
            let mut sums = UpdateSums { hidden, rates: &mut gradients.rates, eta: &mut gradients.etas, columns };
            self.update_back(group, step, [fast, trace], [grad_fast, grad_trace], &mut sums);
            let elements = group.first..group.first + group.width;
            for element in elements {
                gradients.eta += gradients.etas[element].wide();
                let units = element * row..(element + 1) * row;
                let grad_rate = gradients.rates[element];
                match &self.modulator {
                    None => gradients.eta += grad_rate.wide(),
                    Some((weights, _)) => {
                        let grad = grad_rate * (L::Real::ONE - rates[element] * rates[element]);
                        gradients.modulator_bias += grad.wide();
                        let values = step.post[units.clone()].iter().zip(&mut hidden[units.clone()]);
                        for ((h, grad_h), weight) in values.zip(weights.iter()) {
                            *grad_h += grad * *weight;
                            let _ = h;
                        }
                        for (sum, h) in gradients.modulator.iter_mut().zip(&step.post[units.clone()]) {
                            *sum += (grad * *h).wide();
                        }
                    }
                }
                lanes.vectorize(
                    #[inline(always)]
                    || {
                        let values = step.post[units.clone()].iter().zip(&hidden[units.clone()]);
                        for (grad_pre, (h, grad)) in grad_pre[units.clone()].iter_mut().zip(values) {
                            *grad_pre = *grad * (L::Real::ONE - *h * *h);
                        }
                    },
                );
            }
            self.product_back(group, step.pre, grad_pre, fast, grad_fast, alpha, columns, hidden);
        }
    }

    fn give_state_gradient(&self, gradients: &Gradients<L::Real>, grad_state: &mut [L::Real]) {
        let (size, row, state) = (self.spec.hidden, self.layout.row(), &self.spec.state);
        for (hidden, packed) in gradients.hidden.chunks_exact(row).zip(grad_state.chunks_exact_mut(state.len)) {
            packed[state.hidden.clone()].copy_from_slice(&hidden[..size]);
        }
        self.layout.store(&gradients.fast, grad_state, [state.len, state.fast]);
        if let Some(trace) = state.trace {
            self.layout.store(&gradients.trace, grad_state, [state.len, trace]);
        }
    }

    fn give_gradients(&self, gradients: &Gradients<L::Real>, grad_parameters: &mut [L::Real]) {
        let (size, row) = (self.spec.hidden, self.layout.row());
        let (places, input) = (&self.spec.places, self.spec.input);
        for unit in 0..size {
            for column in 0..input {
                grad_parameters[places.input.at(unit, column)] = gradients.input.weight(unit, column);
            }
            for pre in 0..size {
                grad_parameters[places.weight.at(unit, pre)] = gradients.weight[pre * row + unit];
                let vector = unit / L::WIDTH * size + pre;
                grad_parameters[places.alpha.at(unit, pre)] = gradients.alpha[vector * L::WIDTH + unit % L::WIDTH];
            }
        }
        grad_parameters[places.bias.clone()].copy_from_slice(&gradients.input.bias()[..size]);
        if let Some(place) = places.eta {
            grad_parameters[place] = L::Real::of(gradients.eta);
        }
        if let Some((weights, bias)) = &places.modulator {
            for (place, sum) in grad_parameters[weights.clone()].iter_mut().zip(&gradients.modulator) {
                *place = L::Real::of(*sum);
            }
            grad_parameters[*bias] = L::Real::of(gradients.modulator_bias);
        }
    }
}
