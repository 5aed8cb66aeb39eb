//! A whole sequence forward, with the tape for its backward pass.

use super::cohort::Cohort;
use super::plan::Plan;
use super::presynaptic::Span;
use super::record::Record;
use super::weights::Weights;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::Sequence;
use crate::kernels::{Extent, Real};

/// What a forward pass leaves for the backward pass, a part for each cohort in the plan's order.
#[derive(Debug)]
pub struct PlasticTape<T: Real> {
    pub cohorts: Vec<CohortTape<T>>,
}

/// The tape of one cohort.
#[derive(Debug)]
pub struct CohortTape<T: Real> {
    /// Activity before the first step, `[G·E, H]`.
    pub start: Vec<T>,
    /// Records `[T + 1, G, blocks, len, E]` of vectors; of the last only the scale counts.
    pub records: Lease<T>,
    /// Φ before every `every`-th step, `[⌈T/every⌉, G, blocks, D, E]` of vectors.
    pub checkpoints: Lease<T>,
    /// Steps from checkpoint to checkpoint.
    pub every: usize,
}

/// Runs the block cohort by cohort.
pub fn forward<L: Lanes>(
    weights: &Weights<L>,
    plan: &Plan,
    mut sequence: Sequence<'_, L::Real>,
    tape: bool,
) -> Option<PlasticTape<L::Real>> {
    let mut cohorts = Vec::with_capacity(plan.cohorts.len());
    for cohort in &plan.cohorts {
        let every = tape.then_some(cohort.every);
        // A match on the constant alone: the other groups are then not even compiled.
        let part = match cohort.width {
            1 => run::<L, 1>(weights, cohort.span, &mut sequence, every),
            _ => match L::GROUP {
                4 => run::<L, 4>(weights, cohort.span, &mut sequence, every),
                _ => run::<L, 2>(weights, cohort.span, &mut sequence, every),
            },
        };
        cohorts.extend(part);
    }
    tape.then_some(PlasticTape { cohorts })
}

fn run<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    span: Span,
    sequence: &mut Sequence<'_, L::Real>,
    every: Option<usize>,
) -> Option<CohortTape<L::Real>> {
    let Extent { steps, batch } = sequence.extent;
    let (input, hidden_size) = (weights.spec.input, weights.spec.hidden);
    let layout = Record::new(&weights.spec);
    let record_len = span.groups * weights.blocks * layout.len * E * L::WIDTH;
    let starting = sequence.resets.map(|resets| &resets[..batch.min(resets.len())]);
    let mut cohort = Cohort::<L, E>::loaded(weights, span, sequence.start, starting);
    let phi_len = cohort.phi().len();
    let mut tape = every.map(|every| CohortTape {
        start: Vec::new(),
        records: weights.pool.lease((steps + 1) * record_len),
        checkpoints: weights.pool.lease(steps.div_ceil(every) * phi_len),
        every,
    });
    for t in 0..steps {
        let x = &sequence.x[t * batch * input..(t + 1) * batch * input];
        let resets = sequence.resets.map(|resets| &resets[t * batch..(t + 1) * batch]);
        cohort.approach(weights, x, resets);
        if let Some(tape) = &mut tape {
            if t == 0 {
                tape.start = start::<L, E>(weights, &cohort, span);
            }
            if t % tape.every == 0 {
                let place = t / tape.every;
                tape.checkpoints[place * phi_len..(place + 1) * phi_len].copy_from_slice(cohort.phi());
            }
        }
        let record = tape.as_mut().map(|tape| (layout, &mut tape.records[t * record_len..(t + 1) * record_len]));
        let hidden = &mut sequence.hidden[t * batch * hidden_size..(t + 1) * batch * hidden_size];
        cohort.emit(weights, hidden, record);
    }
    if sequence.end.is_some() || (every.is_some() && layout.scale.is_some()) {
        cohort.settle(weights);
    }
    if let (Some(tape), Some(place)) = (&mut tape, layout.scale) {
        cohort.copy_scale(weights, layout.len, place, &mut tape.records[steps * record_len..]);
    }
    if let Some(end) = &mut sequence.end {
        cohort.store(weights, end);
    }
    tape
}

/// The activity of a cohort, `[G·E, H]`; empty for a layer without recurrence.
fn start<L: Lanes, const E: usize>(weights: &Weights<L>, cohort: &Cohort<L, E>, span: Span) -> Vec<L::Real> {
    if !weights.spec.config.recurrent {
        return Vec::new();
    }
    let mut start = vec![L::Real::ZERO; span.groups * E * weights.spec.hidden];
    cohort.copy_hidden(weights, &mut start);
    start
}
