//! What the present policy makes of fragments that an earlier one lived. On a device, it goes through whole training
//! sequences of all environments at once.

use rayon::prelude::*;

use super::together::{joined, rows, values_after};
use super::{Estimates, Recompute, Worker, finals};
use crate::Result;
use crate::actor::{Actor, Subject};
use crate::policy::Inputs;

/// [`Worker::recompute`] of all workers.
///
/// # Errors
/// Fails if the network does, and with [`crate::Error::Stopped`] if the update is to be given up.
pub fn recompute(workers: &mut [Worker], subject: Subject<'_>, what: Recompute) -> Result<Vec<Option<Estimates>>> {
    if !subject.policy.policy().is_accelerated() {
        let estimates: Vec<Result<Option<Estimates>>> =
            workers.par_iter_mut().map(|worker| worker.recompute(subject, what)).collect();
        return estimates.into_iter().collect();
    }
    let Some(shape) = workers.first().map(|worker| worker.fragment().shape) else { return Ok(Vec::new()) };
    let batch = workers.iter().map(|worker| worker.group().len()).sum();
    let mut state: Vec<f32> = workers.iter().flat_map(|worker| worker.states_before(0)).copied().collect();
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); workers.len()];
    let mut final_values: Vec<Vec<f32>> =
        workers.iter().map(|worker| vec![0.0; shape.steps * worker.group().len()]).collect();
    // Without values, nothing is asked of the last sequence.
    let segments = shape.segments() - usize::from(!what.values);
    for segment in 0..segments {
        workers.iter().try_for_each(Worker::go_on)?;
        let (first, steps) = (segment * shape.sequence_length, shape.segment_steps(segment));
        let places = || (first..first + steps).flat_map(|t| workers.iter().map(move |worker| (worker, t)));
        let seen = joined(places().map(|(worker, t)| worker.seen(t)));
        let starts: Vec<u8> = places().flat_map(|(worker, t)| worker.starts(t)).copied().collect();
        let inputs = Inputs { steps, batch, observations: seen.all(), episode_starts: &starts };
        let ran = subject.policy.run_on_device(&inputs, &state, None)?;
        if what.values {
            let of_finals = finals::values(workers, subject, segment, &state)?;
            for ((worker, all), values) in workers.iter().zip(&mut final_values).zip(of_finals) {
                worker.place_final_values(segment, &values, all);
            }
        }
        state = ran.state;
        if what.states && segment + 1 < shape.segments() {
            let states = rows(workers, &state, shape.state);
            workers.iter_mut().zip(states).for_each(|(worker, state)| worker.keep_state(first + steps, state));
        }
        for row in ran.outputs.values.chunks_exact(batch) {
            values.iter_mut().zip(rows(workers, row, 1)).for_each(|(all, own)| all.extend_from_slice(own));
        }
    }
    if !what.values {
        return Ok(vec![None; workers.len()]);
    }
    let mut actor = Actor::new(subject, batch)?;
    actor.session_mut().load(&state)?;
    let after = values_after(workers, &mut actor)?;
    let estimates = values.into_iter().zip(final_values).zip(rows(workers, &after, 1));
    let estimates = estimates.map(|((values, final_values), last_values)| {
        Some(Estimates { values, last_values: last_values.to_vec(), final_values })
    });
    Ok(estimates.collect())
}
