//! A whole sequence backward: segments from the last to the first, each recomputed from its checkpoint and swept.

use super::adjoint::{self, AdjointForm, COEFFICIENTS, SUMS};
use super::form::{CHUNK, ROW_H, ROW_R, ROWS};
use super::forward::{CohortTape, PlasticTape};
use super::gradients::Gradients;
use super::oja;
use super::packing::{Place, each_place};
use super::plan::Plan;
use super::presynaptic::Span;
use super::record::Record;
use super::sensitivity::{StepValues, after_update, sensitivity};
use super::update::{self, UpdateForm};
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
    for (cohort, tape) in plan.cohorts.iter().zip(&tape.cohorts) {
        match cohort.width {
            4 => Sweep::<L, 4>::new(weights, cohort.span, tape).run(&mut adjoint, &mut gradients),
            2 => Sweep::<L, 2>::new(weights, cohort.span, tape).run(&mut adjoint, &mut gradients),
            _ => Sweep::<L, 1>::new(weights, cohort.span, tape).run(&mut adjoint, &mut gradients),
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
    /// Φ before each step of the segment, and after its last.
    slots: Lease<L::Real>,
    phi_len: usize,
    /// Oja's rule: y of each step of the segment.
    residuals: Lease<L::Real>,
    /// Rows of the forward passes that recompute Φ.
    rows: Lease<L::Real>,
    /// X.
    gradient: Lease<L::Real>,
    sums: Lease<L::Real>,
    coefficients: Lease<L::Real>,
    columns: Lease<L::Real>,
    /// Presynaptic vectors of the step and of the one before.
    z: [Lease<L::Real>; 2],
    grad_z: Lease<L::Real>,
    grad_y: Lease<L::Real>,
    /// Dense rows `[G, blocks, E]`: activity, its gradient, its gradient from the step after, that of the bias state.
    hidden: Lease<L::Real>,
    grad_hidden: Lease<L::Real>,
    carried: Lease<L::Real>,
    grad_bias: Lease<L::Real>,
    through_residual: Lease<L::Real>,
}

impl<'a, L: Lanes, const E: usize> Sweep<'a, L, E> {
    fn new(weights: &'a Weights<L>, span: Span, tape: &'a CohortTape<L::Real>) -> Self {
        let layout = Record::new(&weights.spec);
        let rows = span.groups * weights.blocks * E * L::WIDTH;
        let zeros = |len: usize| {
            let mut lease = weights.pool.lease(len);
            lease.fill(L::Real::ZERO);
            lease
        };
        let phi_len = rows * weights.width;
        let presynaptic = span.groups * weights.width * E;
        let oja = |len: usize| if weights.spec.oja() { zeros(len) } else { zeros(0) };
        Self {
            weights,
            span,
            tape,
            layout,
            slots: weights.pool.lease((tape.every + 1) * phi_len),
            phi_len,
            residuals: oja(tape.every * presynaptic),
            rows: zeros(rows * ROWS),
            gradient: zeros(phi_len),
            sums: zeros(rows * SUMS),
            coefficients: zeros(rows * COEFFICIENTS),
            columns: zeros(CHUNK * E * L::WIDTH),
            z: [zeros(presynaptic), zeros(presynaptic)],
            grad_z: zeros(presynaptic),
            grad_y: oja(presynaptic),
            hidden: zeros(rows),
            grad_hidden: zeros(rows),
            carried: zeros(rows),
            grad_bias: zeros(rows),
            through_residual: oja(rows),
        }
    }

    fn run(mut self, adjoint: &mut Adjoint<'_, L::Real>, gradients: &mut Gradients<L>) {
        self.take_final_gradient(adjoint.grad_state);
        let (steps, every) = (adjoint.extent.steps, self.tape.every);
        let wanted = adjoint.grad_x.is_some() || self.weights.spec.config.recurrent;
        let form = AdjointForm::new(self.weights, wanted);
        for first in (0..steps).step_by(every).rev() {
            let last = steps.min(first + every);
            self.recompute(adjoint, first, last);
            self.presynaptic_of(adjoint, last - 1, 0);
            if last == steps {
                let form = AdjointForm { step: false, ..form };
                // Φ after the last step takes the place of that before the one after.
                self.pass(form, gradients, last, first, true);
            }
            for t in (first..last).rev() {
                self.step(form, adjoint, gradients, t, first);
            }
        }
        self.give_initial_gradient(adjoint.grad_state);
    }

    /// Back through step t of the segment that starts at `first`. The step's z is in `z[0]` and its sums are there.
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
        self.gather(&adjoint.hidden[t * batch * size..], false);
        self.gather(&adjoint.grad_hidden[t * batch * size..], true);
        self.factors(gradients, t, first);
        self.z.swap(0, 1);
        if t > 0 {
            self.presynaptic_of(adjoint, t - 1, 0);
        } else {
            self.z[0].fill(L::Real::ZERO);
        }
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

    /// Runs Φ forward from the checkpoint before step `first` to step `last`, keeping it before every step.
    fn recompute(&mut self, adjoint: &Adjoint<'_, L::Real>, first: usize, last: usize) {
        let (weights, batch) = (self.weights, adjoint.extent.batch);
        let (size, phi_len, presynaptic) = (weights.spec.hidden, self.phi_len, self.z[0].len());
        let checkpoint = first / self.tape.every * phi_len;
        self.slots[..phi_len].copy_from_slice(&self.tape.checkpoints[checkpoint..checkpoint + phi_len]);
        let form = UpdateForm::fused(weights).silent();
        // Only the normalisation after the update looks at Φ after the segment.
        let end = if weights.spec.after() || last == adjoint.extent.steps { last } else { last - 1 };
        let kept = if weights.spec.oja() { last } else { end };
        for t in first..kept {
            self.gather(&adjoint.hidden[t * batch * size..], false);
            self.forward_rows(t);
            self.presynaptic_of(adjoint, t, 0);
            let (before, after) = self.slots.split_at_mut((t - first + 1) * phi_len);
            let before = &before[(t - first) * phi_len..];
            let mut y: &[L::Real] = &self.z[0];
            if weights.spec.oja() {
                let residual = &mut self.residuals[(t - first) * presynaptic..][..presynaptic];
                oja::residual::<L, E>(weights, before, &self.rows, &self.z[0], residual);
                y = residual;
            }
            if t == end {
                break;
            }
            let phi = &mut after[..phi_len];
            let z = &self.z[0];
            let operands = update::Operands { phi: &mut *phi, from: Some(before), y, z, rows: &mut self.rows };
            update::pass::<L, E>(weights, form, operands);
            if let (Some(resets), true) = (adjoint.resets, t + 1 < adjoint.extent.steps) {
                let resets = &resets[(t + 1) * batch..(t + 2) * batch];
                self.span.clear_vectors::<L, E>(weights, resets, phi);
            }
        }
    }

    /// h and r of step t in the rows that an update reads.
    fn forward_rows(&mut self, t: usize) {
        let (lanes, spec, layout) = (self.weights.lanes, &self.weights.spec, self.layout);
        let record = L::vectors(record_of(self.tape, layout, self.hidden.len(), t)).as_chunks::<E>().0;
        let rows = L::vectors_mut(&mut self.rows).as_chunks_mut::<E>().0.as_chunks_mut::<ROWS>().0;
        let hidden = L::vectors(&self.hidden).as_chunks::<E>().0;
        let one = lanes.splat(L::Real::ONE);
        let ratio = if spec.before() { layout.ratio.or(layout.inverse) } else { layout.scale };
        for (row, (rows, hidden)) in rows.iter_mut().zip(hidden).enumerate() {
            rows[ROW_H] = *hidden;
            rows[ROW_R] = ratio.map_or([one; E], |place| record[row * layout.len + place]);
        }
    }

    /// The factors of step t's pass, from the sums.
    fn factors(&mut self, gradients: &mut Gradients<L>, t: usize, first: usize) {
        let (weights, layout, phi_len, dense) = (self.weights, self.layout, self.phi_len, self.hidden.len());
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
            let slot = (t - first) * phi_len;
            let operands = oja::Backward {
                gradient: &self.gradient,
                phi_after: if weights.spec.after() { &self.slots[slot + phi_len..slot + 2 * phi_len] } else { &[] },
                phi: &self.slots[slot..slot + phi_len],
                hidden: &self.hidden,
                record,
                coefficients: &self.coefficients,
            };
            oja::adjoint::<L, E>(weights, layout, &operands, &mut self.grad_y, &mut self.through_residual);
        }
        let (record, sums) = (vectors(record), vectors(&self.sums).as_chunks::<SUMS>().0);
        let hidden = vectors(&self.hidden);
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

    /// The pass of step t; `z[1]` is its presynaptic vector, `z[0]` that of the step before.
    fn pass(&mut self, form: AdjointForm, gradients: &mut Gradients<L>, t: usize, first: usize, bounded: bool) {
        let (slot, presynaptic) = ((t - first) * self.phi_len, self.z[0].len());
        let phi = &self.slots[slot..slot + self.phi_len];
        let after = form.after && form.step;
        let phi_after = if after { &self.slots[slot + self.phi_len..slot + 2 * self.phi_len] } else { phi };
        let (mut y, mut y_before): (&[L::Real], &[L::Real]) = (&self.z[1], &self.z[0]);
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
            phi_after,
            phi,
            z: &self.z[1],
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

    /// Fills `z[into]` with the presynaptic vector of step t.
    fn presynaptic_of(&mut self, adjoint: &Adjoint<'_, L::Real>, t: usize, into: usize) {
        let (spec, width) = (&self.weights.spec, self.weights.width);
        let (batch, input, size) = (adjoint.extent.batch, spec.input, spec.hidden);
        let z = &mut self.z[into];
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

    /// Brings values `[B, H]` into dense rows: the activity, or the activity's gradient to which what was carried
    /// from the step after is added.
    fn gather(&mut self, values: &[L::Real], gradient: bool) {
        let (size, blocks, first) = (self.weights.spec.hidden, self.weights.blocks, self.span.first);
        let rows = if gradient { &mut self.grad_hidden } else { &mut self.hidden };
        for (row, units) in rows.chunks_exact_mut(L::WIDTH).enumerate() {
            let (e, block, group) = (row % E, row / E % blocks, row / E / blocks);
            let start = (first + group * E + e) * size + block * L::WIDTH;
            let count = L::WIDTH.min(size - block * L::WIDTH);
            units[..count].copy_from_slice(&values[start..start + count]);
            units[count..].fill(L::Real::ZERO);
        }
        if gradient {
            for (row, carried) in rows.iter_mut().zip(self.carried.iter()) {
                *row += *carried;
            }
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
        each_place::<L, E>(self.weights, self.span, |packed, place| match place {
            Place::Hidden(index) => self.carried[index] = grad_state[packed],
            Place::Fast(index) => self.gradient[index] = grad_state[packed],
            Place::Bias(index) => self.grad_bias[index] = grad_state[packed],
        });
    }

    fn give_initial_gradient(&self, grad_state: &mut [L::Real]) {
        each_place::<L, E>(self.weights, self.span, |packed, place| {
            grad_state[packed] = match place {
                Place::Hidden(index) => self.carried[index],
                Place::Fast(index) => self.gradient[index],
                Place::Bias(index) => self.grad_bias[index],
            };
        });
    }
}

/// The record of step t, for dense rows of `dense` scalars.
fn record_of<T: Real>(tape: &CohortTape<T>, layout: Record, dense: usize, t: usize) -> &[T] {
    &tape.records[t * dense * layout.len..(t + 1) * dense * layout.len]
}
