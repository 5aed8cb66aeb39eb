//! A whole sequence backward: segments from the last to the first, each recomputed from its checkpoint and swept.

use std::ops::Range;

use super::adjoint::{self, AdjointForm, COEFFICIENTS, SUMS};
use super::form::{CHUNK, ROW_H, ROW_R, ROWS};
use super::forward::{CohortTape, PlasticTape};
use super::gradients::Gradients;
use super::oja;
use super::packing::{pack_fast, pack_units, unpack_fast, unpack_units};
use super::plan::{CohortPlan, Plan};
use super::presynaptic::Span;
use super::record::Record;
use super::recompute::{self, Updates};
use super::sensitivity::{StepValues, after_update, sensitivity};
use super::weights::Weights;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::{Extent, Real};

/// Operands of a backward pass over a whole block.
pub struct Adjoint<'a, T> {
    pub extent: Extent,
    pub x: &'a [T],
    pub resets: Option<&'a [u8]>,
    pub hidden: &'a [T],
    pub grad_hidden: &'a [T],
    pub grad_state: &'a mut [T],
    pub grad_x: Option<&'a mut [T]>,
}

/// Runs the block cohort by cohort, in the order of the forward pass.
pub fn backward<L: Lanes>(
    weights: &Weights<L>,
    tape: &PlasticTape<L::Real>,
    mut adjoint: Adjoint<'_, L::Real>,
    grad_parameters: &mut [L::Real],
) {
    let mut gradients = Gradients::new(weights);
    let plan = Plan::new(weights, adjoint.extent);
    assert_eq!(plan.cohorts.len(), tape.cohorts.len(), "the tape of another extent");
    let (mut four, mut two, mut one) = (None, None, None);
    for (cohort, tape) in plan.cohorts.iter().zip(&tape.cohorts) {
        match cohort.width {
            4 => Sweep::<L, 4>::of(&mut four, weights, cohort, tape).run(&mut adjoint, &mut gradients),
            2 => Sweep::<L, 2>::of(&mut two, weights, cohort, tape).run(&mut adjoint, &mut gradients),
            _ => Sweep::<L, 1>::of(&mut one, weights, cohort, tape).run(&mut adjoint, &mut gradients),
        }
    }
    gradients.unpack(weights, grad_parameters);
}

/// A cohort on its way back. All buffers in the passes' layout.
struct Sweep<'a, L: Lanes, const E: usize> {
    weights: &'a Weights<L>,
    span: Span,
    tape: &'a CohortTape<L::Real>,
    layout: Record,
    /// Φ after each step of the segment.
    slots: Lease<L::Real>,
    phi_len: usize,
    /// Presynaptic vectors of the step before the segment and of each of its steps, `[every + 1, G, D, E]`.
    z: Lease<L::Real>,
    /// Oja's rule: y of each step of the segment.
    residuals: Lease<L::Real>,
    /// Oja's rule: rows of the forward pass.
    rows: Lease<L::Real>,
    /// Activities of each step of the segment, `[every, G, blocks, E]`.
    hidden: Lease<L::Real>,
    /// X.
    gradient: Lease<L::Real>,
    sums: Lease<L::Real>,
    coefficients: Lease<L::Real>,
    columns: Lease<L::Real>,
    grad_z: Lease<L::Real>,
    grad_y: Lease<L::Real>,
    /// Dense rows `[G, blocks, E]`: gradient of the activity, that from the step after, that of the bias state.
    grad_hidden: Lease<L::Real>,
    carried: Lease<L::Real>,
    grad_bias: Lease<L::Real>,
    through_residual: Lease<L::Real>,
}

impl<'a, L: Lanes, const E: usize> Sweep<'a, L, E> {
    /// The one that is kept, if its buffers have the right sizes, else a new one.
    fn of<'s>(
        kept: &'s mut Option<Self>,
        weights: &'a Weights<L>,
        cohort: &CohortPlan,
        tape: &'a CohortTape<L::Real>,
    ) -> &'s mut Self {
        if kept.as_ref().is_some_and(|kept| (kept.span.groups, kept.tape.every) != (cohort.span.groups, tape.every)) {
            *kept = None;
        }
        let sweep = kept.get_or_insert_with(|| Self::new(weights, cohort.span, tape));
        (sweep.span, sweep.tape) = (cohort.span, tape);
        sweep
    }

    fn new(weights: &'a Weights<L>, span: Span, tape: &'a CohortTape<L::Real>) -> Self {
        let rows = span.groups * weights.blocks * E * L::WIDTH;
        let phi_len = rows * weights.width;
        let presynaptic = span.groups * weights.width * E;
        let lease = |len: usize| weights.pool.lease(len);
        let oja = |len: usize| weights.pool.lease(if weights.spec.oja() { len } else { 0 });
        Self {
            weights,
            span,
            tape,
            layout: Record::new(&weights.spec),
            slots: lease(tape.every * phi_len),
            phi_len,
            z: lease((tape.every + 1) * presynaptic),
            residuals: oja(tape.every * presynaptic),
            rows: oja(rows * ROWS),
            hidden: lease(tape.every * rows),
            gradient: lease(phi_len),
            sums: lease(rows * SUMS),
            coefficients: lease(rows * COEFFICIENTS),
            columns: lease(CHUNK * E * L::WIDTH),
            grad_z: lease(presynaptic),
            grad_y: oja(presynaptic),
            grad_hidden: lease(rows),
            carried: lease(rows),
            grad_bias: lease(rows),
            through_residual: oja(rows),
        }
    }

    fn run(&mut self, adjoint: &mut Adjoint<'_, L::Real>, gradients: &mut Gradients<L>) {
        self.take_final_gradient(adjoint.grad_state);
        let (steps, every) = (adjoint.extent.steps, self.tape.every);
        let wanted = adjoint.grad_x.is_some() || self.weights.spec.config.recurrent;
        let form = AdjointForm::new(self.weights, wanted);
        for first in (0..steps).step_by(every).rev() {
            let last = steps.min(first + every);
            self.recompute(adjoint, first, last);
            if last == steps {
                // Φ after the last step takes the place of that before the one after.
                self.pass(AdjointForm { step: false, ..form }, gradients, last, first, true);
            }
            for t in (first..last).rev() {
                self.step(form, adjoint, gradients, t, first);
            }
        }
        self.give_initial_gradient(adjoint.grad_state);
    }

    /// Back through step t of the segment that starts at `first`. The step's sums are there.
    fn step(
        &mut self,
        form: AdjointForm,
        adjoint: &mut Adjoint<'_, L::Real>,
        gradients: &mut Gradients<L>,
        t: usize,
        first: usize,
    ) {
        let Extent { batch, .. } = adjoint.extent;
        let size = self.weights.spec.hidden;
        let values = (&adjoint.grad_hidden[t * batch * size..], 0, size);
        unpack_units::<L, E>(self.weights, self.span, values, &mut self.grad_hidden, E * L::WIDTH);
        for (grad, carried) in self.grad_hidden.iter_mut().zip(self.carried.iter()) {
            *grad += *carried;
        }
        self.factors(gradients, t, first);
        self.pass(form, gradients, t, first, t > 0);
        if let Some(grad_x) = &mut adjoint.grad_x {
            self.give_input_gradient(&mut grad_x[t * batch * self.weights.spec.input..]);
        }
        if self.weights.spec.config.recurrent {
            self.carry();
        }
        if let Some(resets) = adjoint.resets {
            let resets = &resets[t * batch..(t + 1) * batch];
            for values in [&mut self.gradient, &mut self.sums, &mut self.carried, &mut self.grad_bias] {
                self.span.clear_vectors::<L, E>(self.weights, resets, values);
            }
        }
    }

    /// Brings back what the steps `first..last` read: presynaptic vectors, activities, and Φ after each of them.
    fn recompute(&mut self, adjoint: &Adjoint<'_, L::Real>, first: usize, last: usize) {
        let (weights, batch) = (self.weights, adjoint.extent.batch);
        let (size, dense, presynaptic) = (weights.spec.hidden, self.grad_hidden.len(), self.grad_z.len());
        match first {
            0 => self.z[..presynaptic].fill(L::Real::ZERO),
            _ => self.presynaptic_of(adjoint, first - 1, 0),
        }
        for t in first..last {
            self.presynaptic_of(adjoint, t, t - first + 1);
            let values = (&adjoint.hidden[t * batch * size..], 0, size);
            let rows = &mut self.hidden[(t - first) * dense..][..dense];
            unpack_units::<L, E>(weights, self.span, values, rows, E * L::WIDTH);
        }
        // Only the normalisation after the update looks at Φ after the segment.
        let end = if weights.spec.after() || last == adjoint.extent.steps { last } else { last - 1 };
        if !weights.spec.oja() {
            return self.update(adjoint, first, first..end);
        }
        for t in first..last {
            self.forward_rows(t, first);
            let phi = slot(self.tape, &self.slots, self.phi_len, first, t);
            let z = &self.z[(t - first + 1) * presynaptic..][..presynaptic];
            let residual = &mut self.residuals[(t - first) * presynaptic..][..presynaptic];
            oja::residual::<L, E>(weights, phi, &self.rows, z, residual);
            if t < end {
                self.update(adjoint, first, t..t + 1);
            }
        }
    }

    /// Fills the slots with Φ after each of these steps, from the one before them.
    fn update(&mut self, adjoint: &Adjoint<'_, L::Real>, first: usize, steps: Range<usize>) {
        let (weights, layout, phi_len, batch) = (self.weights, self.layout, self.phi_len, adjoint.extent.batch);
        let (dense, presynaptic) = (self.grad_hidden.len(), self.grad_z.len());
        let (from, count) = (steps.start - first, steps.len());
        let (before, slots) = self.slots.split_at_mut(from * phi_len);
        let y = match weights.spec.oja() {
            true => &self.residuals[from * presynaptic..],
            false => &self.z[(from + 1) * presynaptic..],
        };
        let updates = Updates {
            start: slot(self.tape, before, phi_len, first, steps.start),
            slots: &mut slots[..count * phi_len],
            y: &y[..count * presynaptic],
            hidden: &self.hidden[from * dense..][..count * dense],
            records: &self.tape.records[steps.start * dense * layout.len..steps.end * dense * layout.len],
            scale: (layout.len, scale_of(weights, layout)),
            resets: adjoint.resets.map(|resets| (batch, &resets[(steps.start + 1) * batch..])),
        };
        recompute::run::<L, E>(weights, self.span, updates);
    }

    /// Oja's rule: h and r of step t in the rows that the residual reads.
    fn forward_rows(&mut self, t: usize, first: usize) {
        let (lanes, layout, dense) = (self.weights.lanes, self.layout, self.grad_hidden.len());
        let record = L::vectors(record_of(self.tape, layout, dense, t)).as_chunks::<E>().0;
        let rows = L::vectors_mut(&mut self.rows).as_chunks_mut::<E>().0.as_chunks_mut::<ROWS>().0;
        let hidden = L::vectors(&self.hidden[(t - first) * dense..][..dense]).as_chunks::<E>().0;
        let one = lanes.splat(L::Real::ONE);
        let scale = scale_of(self.weights, layout);
        for (row, (rows, hidden)) in rows.iter_mut().zip(hidden).enumerate() {
            rows[ROW_H] = *hidden;
            rows[ROW_R] = scale.map_or([one; E], |place| record[row * layout.len + place]);
        }
    }

    /// The factors of step t's pass, from the sums.
    fn factors(&mut self, gradients: &mut Gradients<L>, t: usize, first: usize) {
        let (weights, layout, phi_len, dense) = (self.weights, self.layout, self.phi_len, self.grad_hidden.len());
        let (blocks, lanes) = (weights.blocks, weights.lanes);
        let next = record_of(self.tape, layout, dense, t + 1);
        let record = record_of(self.tape, layout, dense, t);
        let vectors = |values| L::vectors(values).as_chunks::<E>().0;
        let groups = 0..self.span.groups;
        {
            let (next, sums) = (vectors(next), vectors(&self.sums).as_chunks::<SUMS>().0);
            let coefficients = L::vectors_mut(&mut self.coefficients).as_chunks_mut::<E>().0.as_chunks_mut().0;
            lanes.vectorize(
                #[inline(always)]
                || {
                    for group in groups.clone() {
                        let rows = group * blocks..(group + 1) * blocks;
                        let next = &next[rows.start * layout.len..rows.end * layout.len];
                        after_update(weights, layout, next, &sums[rows.clone()], &mut coefficients[rows]);
                    }
                },
            );
        }
        if weights.spec.oja() {
            let phi = |t: usize| slot(self.tape, &self.slots, phi_len, first, t);
            let operands = oja::Backward {
                gradient: &self.gradient,
                phi_after: if weights.spec.after() { phi(t + 1) } else { &[] },
                phi: phi(t),
                hidden: &self.hidden[(t - first) * dense..][..dense],
                record,
                coefficients: &self.coefficients,
            };
            oja::adjoint::<L, E>(weights, layout, &operands, &mut self.grad_y, &mut self.through_residual);
        }
        let (record, sums) = (vectors(record), vectors(&self.sums).as_chunks::<SUMS>().0);
        let hidden = vectors(&self.hidden[(t - first) * dense..][..dense]);
        let through_residual = weights.spec.oja().then(|| vectors(&self.through_residual));
        let grad_hidden = L::vectors_mut(&mut self.grad_hidden).as_chunks_mut::<E>().0;
        let grad_bias = L::vectors_mut(&mut self.grad_bias).as_chunks_mut::<E>().0;
        let coefficients = L::vectors_mut(&mut self.coefficients).as_chunks_mut::<E>().0.as_chunks_mut().0;
        lanes.vectorize(
            #[inline(always)]
            || {
                for group in groups {
                    let rows = group * blocks..(group + 1) * blocks;
                    let values = StepValues {
                        record: &record[rows.start * layout.len..rows.end * layout.len],
                        hidden: &hidden[rows.clone()],
                        grad_hidden: &mut grad_hidden[rows.clone()],
                        grad_bias: &mut grad_bias[rows.clone()],
                        through_residual: through_residual.map(|values| &values[rows.clone()]),
                    };
                    let (sums, coefficients) = (&sums[rows.clone()], &mut coefficients[rows]);
                    sensitivity(weights, layout, values, sums, coefficients, gradients);
                }
            },
        );
    }

    /// The pass of step t.
    fn pass(&mut self, form: AdjointForm, gradients: &mut Gradients<L>, t: usize, first: usize, bounded: bool) {
        let presynaptic = self.grad_z.len();
        let phi = |t: usize| slot(self.tape, &self.slots, self.phi_len, first, t);
        let z = |t: usize| &self.z[(t + 1 - first) * presynaptic..][..presynaptic];
        let before = &self.z[(t - first) * presynaptic..][..presynaptic];
        let z = if form.step { z(t) } else { before };
        let (mut y, mut y_before) = (z, before);
        if form.oja {
            let residual = |t: usize| &self.residuals[(t - first) * presynaptic..][..presynaptic];
            if form.step {
                y = residual(t);
            }
            if t > first {
                y_before = residual(t - 1);
            } else if t > 0 {
                let checkpoint = t / self.tape.every * presynaptic;
                y_before = &self.tape.residuals[checkpoint..checkpoint + presynaptic];
            }
        }
        let operands = adjoint::Operands {
            gradient: &mut self.gradient,
            phi_after: phi(if form.after && form.step { t + 1 } else { t }),
            phi: phi(t),
            z,
            y,
            y_before,
            grad_y: &self.grad_y,
            coefficients: &self.coefficients,
            sums: &mut self.sums,
            columns: &mut self.columns,
            grad_z: &mut self.grad_z,
            bounded,
        };
        adjoint::pass::<L, E>(self.weights, form, gradients, operands);
    }

    /// Fills place `into` of the presynaptic vectors with that of step t.
    fn presynaptic_of(&mut self, adjoint: &Adjoint<'_, L::Real>, t: usize, into: usize) {
        let (spec, width, len) = (&self.weights.spec, self.weights.width, self.grad_z.len());
        let (batch, input, size) = (adjoint.extent.batch, spec.input, spec.hidden);
        let z = &mut self.z[into * len..][..len];
        self.span.fill_input::<_, E>(width, input, &adjoint.x[t * batch * input..], z);
        if !spec.config.recurrent {
            return;
        }
        if t == 0 {
            Span { first: 0, ..self.span }.fill_hidden::<_, E>(width, size, &self.tape.start, z);
        } else {
            self.span.fill_hidden::<_, E>(width, size, &adjoint.hidden[(t - 1) * batch * size..], z);
        }
        if let Some(resets) = adjoint.resets {
            self.span.clear_columns::<_, E>(width, input, &resets[t * batch..(t + 1) * batch], z);
        }
    }

    /// Takes the recurrent columns of the gradient of z as what the step before has to add to its activity's.
    fn carry(&mut self) {
        let (weights, input) = (self.weights, self.weights.spec.input);
        let carried = self.carried.chunks_exact_mut(weights.blocks * E * L::WIDTH);
        for (carried, grad_z) in carried.zip(self.grad_z.chunks_exact(weights.width * E)) {
            for (neuron, grad) in grad_z.as_chunks::<E>().0[input..].iter().enumerate() {
                for e in 0..E {
                    carried[(neuron / L::WIDTH * E + e) * L::WIDTH + neuron % L::WIDTH] = grad[e];
                }
            }
        }
    }

    /// Writes the input columns of the gradient of z into `[B, I]`.
    fn give_input_gradient(&self, grad_x: &mut [L::Real]) {
        let (width, input) = (self.weights.width, self.weights.spec.input);
        for (group, grad_z) in self.grad_z.chunks_exact(width * E).enumerate() {
            for e in 0..E {
                let row = &mut grad_x[(self.span.first + group * E + e) * input..][..input];
                for (grad_x, grad_z) in row.iter_mut().zip(grad_z.as_chunks::<E>().0) {
                    *grad_x = grad_z[e];
                }
            }
        }
    }

    fn take_final_gradient(&mut self, grad_state: &[L::Real]) {
        let (weights, span, len) = (self.weights, self.span, self.weights.spec.state_len());
        unpack_fast::<L, E>(weights, span, grad_state, &mut self.gradient);
        let fields = [(&mut self.carried, weights.spec.hidden_start()), (&mut self.grad_bias, weights.spec.bias_start())];
        for (rows, start) in fields {
            rows.fill(L::Real::ZERO);
            if let Some(start) = start {
                unpack_units::<L, E>(weights, span, (grad_state, start, len), rows, E * L::WIDTH);
            }
        }
    }

    fn give_initial_gradient(&self, grad_state: &mut [L::Real]) {
        let (weights, span, len) = (self.weights, self.span, self.weights.spec.state_len());
        pack_fast::<L, E>(weights, span, &self.gradient, grad_state);
        let fields = [(&self.carried, weights.spec.hidden_start()), (&self.grad_bias, weights.spec.bias_start())];
        for (rows, start) in fields {
            if let Some(start) = start {
                pack_units::<L, E>(weights, span, rows, E * L::WIDTH, (&mut *grad_state, start, len));
            }
        }
    }
}

/// Φ before step t of the segment that starts at `first`, from the checkpoint or from the `slots` after its steps.
fn slot<'a, T: Real>(tape: &'a CohortTape<T>, slots: &'a [T], phi_len: usize, first: usize, t: usize) -> &'a [T] {
    match t - first {
        0 => &tape.checkpoints[first / tape.every * phi_len..][..phi_len],
        place => &slots[(place - 1) * phi_len..][..phi_len],
    }
}

/// Which vector of a record is the scale of Φ in the update, if there is one.
fn scale_of<L: Lanes>(weights: &Weights<L>, layout: Record) -> Option<usize> {
    if weights.spec.before() { layout.ratio.or(layout.inverse) } else { layout.scale }
}

/// The record of step t, for dense rows of `dense` scalars.
fn record_of<T: Real>(tape: &CohortTape<T>, layout: Record, dense: usize, t: usize) -> &[T] {
    &tape.records[t * dense * layout.len..(t + 1) * dense * layout.len]
}
