//! A whole sequence backward: segments from the last to the first, each recomputed from its start and swept.

use super::adjoint::{self, AdjointForm, CHUNK};
use super::coefficients::{Coefficients, RowSums};
use super::forward::{CohortTape, PlasticTape};
use super::gradients::Gradients;
use super::packing::{pack_fast, pack_units, unpack_fast, unpack_units};
use super::plan::{CohortPlan, Plan};
use super::segment::Segment;
use super::sensitivity::{StepValues, after_update, has_large_norm, sensitivity};
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::Adjoint;

/// Runs the block cohort by cohort, by the plan of the forward pass.
pub fn backward<L: Lanes>(
    weights: &Weights<L>,
    plan: &Plan,
    tape: &PlasticTape<L::Real>,
    mut adjoint: Adjoint<'_, L::Real>,
    grad_parameters: &mut [L::Real],
) {
    let mut gradients = Gradients::new(weights);
    assert_eq!(plan.cohorts.len(), tape.cohorts.len(), "the tape of another extent");
    let (mut four, mut two, mut one) = (None, None, None);
    for (cohort, tape) in plan.cohorts.iter().zip(&tape.cohorts) {
        // A match on the constant alone: the other groups are then not even compiled.
        match cohort.width {
            1 => Sweep::<L, 1>::of(&mut one, weights, cohort, tape).run(&mut adjoint, &mut gradients),
            _ => match L::GROUP {
                4 => Sweep::<L, 4>::of(&mut four, weights, cohort, tape).run(&mut adjoint, &mut gradients),
                _ => Sweep::<L, 2>::of(&mut two, weights, cohort, tape).run(&mut adjoint, &mut gradients),
            },
        }
    }
    gradients.unpack(weights, grad_parameters);
}

/// A cohort on its way back. All buffers in the passes' layout.
struct Sweep<'a, L: Lanes, const E: usize> {
    weights: &'a Weights<L>,
    segment: Segment<'a, L, E>,
    slots: Lease<L::Real>,
    /// X.
    gradient: Lease<L::Real>,
    /// `[G, blocks]`
    sums: Vec<RowSums<L::Vector, E>>,
    coefficients: Vec<Coefficients<L::Vector, E>>,
    columns: Lease<L::Real>,
    again: Lease<L::Real>,
    grad_z: Lease<L::Real>,
    /// Dense rows `[G, blocks, E]`: gradient of the activity, that from the step after, that of the bias state.
    grad_hidden: Lease<L::Real>,
    carried: Lease<L::Real>,
    grad_bias: Lease<L::Real>,
}

impl<'a, L: Lanes, const E: usize> Sweep<'a, L, E> {
    /// The one that is kept, if its buffers have the right sizes, else a new one.
    fn of<'s>(
        kept: &'s mut Option<Self>,
        weights: &'a Weights<L>,
        cohort: &CohortPlan,
        tape: &'a CohortTape<L::Real>,
    ) -> &'s mut Self {
        let sizes = |segment: &Segment<'a, L, E>| (segment.span.groups, segment.tape.every, segment.len);
        let wanted = (cohort.span.groups, tape.every, cohort.segment);
        if kept.as_ref().is_some_and(|kept| sizes(&kept.segment) != wanted) {
            *kept = None;
        }
        let sweep = kept.get_or_insert_with(|| Self::new(weights, Segment::new(weights, cohort, tape)));
        (sweep.segment.span, sweep.segment.tape) = (cohort.span, tape);
        sweep
    }

    fn new(weights: &'a Weights<L>, segment: Segment<'a, L, E>) -> Self {
        let (rows, presynaptic) = (segment.dense_len, segment.presynaptic_len);
        let lease = |len: usize| weights.pool.lease(len);
        let (count, zero) = (segment.span.groups * weights.blocks, weights.lanes.splat(L::Real::ZERO));
        Self {
            weights,
            slots: segment.slots(),
            gradient: lease(segment.phi_len),
            segment,
            sums: vec![RowSums::splat(zero); count],
            coefficients: vec![Coefficients::splat(zero); count],
            columns: lease(CHUNK * E * L::WIDTH),
            again: lease(CHUNK * E * L::WIDTH),
            grad_z: lease(presynaptic),
            grad_hidden: lease(rows),
            carried: lease(rows),
            grad_bias: lease(rows),
        }
    }

    fn run(&mut self, adjoint: &mut Adjoint<'_, L::Real>, gradients: &mut Gradients<L>) {
        self.take_final_gradient(adjoint.grad_state.as_deref());
        let (steps, every) = (adjoint.extent.steps, self.segment.tape.every);
        let wanted = adjoint.grad_x.is_some() || self.weights.spec.config.recurrent;
        let form = AdjointForm::new(self.weights, wanted);
        for checkpoint in (0..steps).step_by(every).rev() {
            let part = checkpoint..steps.min(checkpoint + every);
            self.segment.find_starts(adjoint, &mut self.slots, part.clone());
            for first in part.clone().step_by(self.segment.len).rev() {
                let last = part.end.min(first + self.segment.len);
                self.segment.recompute(adjoint, &mut self.slots, first, last);
                if last == steps {
                    // Φ after the last step takes the place of that before the one after.
                    self.pass(AdjointForm { step: false, ..form }, adjoint, gradients, last);
                }
                for t in (first..last).rev() {
                    self.step(form, adjoint, gradients, t);
                }
            }
        }
        if let Some(grad_state) = &mut adjoint.grad_state {
            self.give_initial_gradient(grad_state);
        }
    }

    /// Back through step t of the segment. The step's sums are there.
    fn step(&mut self, form: AdjointForm, adjoint: &mut Adjoint<'_, L::Real>, gradients: &mut Gradients<L>, t: usize) {
        let (weights, span) = (self.weights, self.segment.span);
        let (batch, size) = (adjoint.extent.batch, weights.spec.hidden);
        let values = (&adjoint.grad_hidden[t * batch * size..], 0, size);
        unpack_units::<L, E>(weights, span, values, &mut self.grad_hidden, E * L::WIDTH);
        for (grad, carried) in self.grad_hidden.iter_mut().zip(self.carried.iter()) {
            *grad += *carried;
        }
        self.factors(gradients, t);
        let careful = weights.lanes.vectorize(
            #[inline(always)]
            || has_large_norm(weights.lanes, &self.coefficients),
        );
        self.pass(AdjointForm { careful, ..form }, adjoint, gradients, t);
        if let Some(grad_x) = &mut adjoint.grad_x {
            self.give_input_gradient(&mut grad_x[t * batch * weights.spec.input..]);
        }
        if weights.spec.config.recurrent {
            self.carry();
        }
        if let Some(resets) = adjoint.resets {
            let resets = &resets[t * batch..(t + 1) * batch];
            for values in [&mut self.gradient, &mut self.carried, &mut self.grad_bias] {
                span.clear_vectors::<L, E>(weights, resets, values);
            }
            let zero = weights.lanes.splat(L::Real::ZERO);
            for (group, e) in span.marked::<E>(resets) {
                for sums in &mut self.sums[group * weights.blocks..(group + 1) * weights.blocks] {
                    (sums.along[e], sums.rate[e], sums.rate_weights[e]) = (zero, zero, zero);
                }
            }
        }
    }

    /// The factors of step t's pass, from the sums.
    fn factors(&mut self, gradients: &mut Gradients<L>, t: usize) {
        let (weights, segment, layout) = (self.weights, &self.segment, self.segment.layout);
        let (blocks, lanes) = (weights.blocks, weights.lanes);
        let vectors = |values| L::vectors(values).as_chunks::<E>().0;
        let (record, next) = (vectors(segment.record(t)), vectors(segment.record(t + 1)));
        let hidden = vectors(segment.hidden(t));
        let grad_hidden = L::vectors_mut(&mut self.grad_hidden).as_chunks_mut::<E>().0;
        let grad_bias = L::vectors_mut(&mut self.grad_bias).as_chunks_mut::<E>().0;
        let (sums, coefficients) = (&self.sums, &mut self.coefficients);
        lanes.vectorize(
            #[inline(always)]
            || {
                for group in 0..segment.span.groups {
                    let rows = group * blocks..(group + 1) * blocks;
                    let next = &next[rows.start * layout.len..rows.end * layout.len];
                    after_update(weights, layout, next, &sums[rows.clone()], &mut coefficients[rows.clone()]);
                    let values = StepValues {
                        record: &record[rows.start * layout.len..rows.end * layout.len],
                        hidden: &hidden[rows.clone()],
                        grad_hidden: &mut grad_hidden[rows.clone()],
                        grad_bias: &mut grad_bias[rows.clone()],
                    };
                    let (sums, coefficients) = (&sums[rows.clone()], &mut coefficients[rows]);
                    sensitivity(weights, layout, values, sums, coefficients, gradients);
                }
            },
        );
    }

    /// The pass of step t, or, where the form has no step, the sums of the step before it.
    fn pass(&mut self, form: AdjointForm, adjoint: &Adjoint<'_, L::Real>, gradients: &mut Gradients<L>, t: usize) {
        let segment = &self.segment;
        let (phi, behind) = segment.slot(&self.slots, t);
        let operands = adjoint::Operands {
            gradient: &mut self.gradient,
            phi_after: if form.step && self.weights.spec.after() { segment.slot(&self.slots, t + 1).0 } else { phi },
            phi,
            replay: (segment.steps(adjoint, t - behind..t), behind),
            z: if form.step { segment.z(t) } else { segment.z_before(t) },
            z_before: segment.z_before(t),
            coefficients: &self.coefficients,
            sums: &mut self.sums,
            columns: &mut self.columns,
            again: &mut self.again,
            grad_z: &mut self.grad_z,
            bounded: t > 0,
        };
        adjoint::pass::<L, E>(self.weights, form, gradients, operands);
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
                let row = &mut grad_x[(self.segment.span.first + group * E + e) * input..][..input];
                for (grad_x, grad_z) in row.iter_mut().zip(grad_z.as_chunks::<E>().0) {
                    *grad_x = grad_z[e];
                }
            }
        }
    }

    fn take_final_gradient(&mut self, grad_state: Option<&[L::Real]>) {
        let (weights, span, len) = (self.weights, self.segment.span, self.weights.spec.state.len);
        let Some(grad_state) = grad_state else {
            for values in [&mut self.gradient, &mut self.carried, &mut self.grad_bias] {
                values.fill(L::Real::ZERO);
            }
            return;
        };
        unpack_fast::<L, E>(weights, span, (grad_state, None), &mut self.gradient);
        let fields = [(&mut self.carried, weights.spec.state.hidden), (&mut self.grad_bias, weights.spec.state.bias)];
        for (rows, start) in fields {
            rows.fill(L::Real::ZERO);
            if let Some(start) = start {
                unpack_units::<L, E>(weights, span, (grad_state, start, len), rows, E * L::WIDTH);
            }
        }
    }

    fn give_initial_gradient(&self, grad_state: &mut [L::Real]) {
        let (weights, span, len) = (self.weights, self.segment.span, self.weights.spec.state.len);
        pack_fast::<L, E>(weights, span, &self.gradient, grad_state);
        let fields = [(&self.carried, weights.spec.state.hidden), (&self.grad_bias, weights.spec.state.bias)];
        for (rows, start) in fields {
            if let Some(start) = start {
                pack_units::<L, E>(weights, span, rows, E * L::WIDTH, (&mut *grad_state, start, len));
            }
        }
    }
}
