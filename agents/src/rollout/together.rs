//! Rollouts of environments here with a network on a device: at each step, one batch of all environments goes there.

use rayon::prelude::*;

use super::worker::Worker;
use super::{Normalization, Observations};
use crate::Result;
use crate::actor::{Actor, Subject};
use crate::policy::encoder::ObservationRef;
use crate::policy::inference::Session;

/// Collects one fragment of every worker, and leaves it in [`Worker::fragment`].
///
/// # Errors
/// Fails if the device or an environment does, and with [`crate::Error::Stopped`] if the update is to be given up.
pub fn collect(workers: &mut [Worker], subject: Subject<'_>) -> Result<()> {
    let Some(shape) = workers.first().map(|worker| worker.fragment().shape) else { return Ok(()) };
    workers.par_iter_mut().for_each(|worker| worker.begin(subject.normalization));
    let mut state: Vec<f32> = workers.iter().flat_map(Worker::state).copied().collect();
    let batch = workers.iter().map(|worker| worker.group().len()).sum();
    let distribution = subject.policy.policy().distribution();
    let mut actor = Actor::new(subject, batch)?;
    actor.session_mut().load(&state)?;
    for t in 0..shape.steps {
        workers.iter().try_for_each(Worker::go_on)?;
        if t % shape.sequence_length == 0 {
            actor.session_mut().store(&mut state)?;
            let states = rows(workers, &state, shape.state);
            workers.iter_mut().zip(states).for_each(|(worker, state)| worker.keep_state(t, state));
        }
        step(actor.session_mut(), workers, t, subject.normalization)?;
        let session = actor.session();
        let parameters = rows(workers, session.distributions(), shape.distribution);
        let values = rows(workers, session.values(), 1);
        let acted: Vec<Result<()>> = (workers.par_iter_mut().zip(parameters).zip(values))
            .map(|((worker, parameters), values)| worker.act(t, distribution, parameters, values))
            .collect();
        // What fails first, by the order of the environments.
        acted.into_iter().collect::<Result<()>>()?;
        if workers.iter().any(|worker| worker.was_truncated(t)) {
            let finals = joined(workers.iter().map(Worker::final_observations));
            let values = actor.peek(finals, &vec![0; batch])?;
            let values = rows(workers, &values, 1);
            workers.iter_mut().zip(values).for_each(|(worker, values)| worker.value_finals(t, values));
        }
    }
    actor.session_mut().store(&mut state)?;
    end(workers, &mut actor, &state)
}

/// Ends the fragments with the states `[B, S]` after the last step, which the actor has, too.
///
/// # Errors
/// Fails if the device does.
pub(super) fn end(workers: &mut [Worker], actor: &mut Actor<'_>, state: &[f32]) -> Result<()> {
    let values = values_after(workers, actor)?;
    let (states, values) = (rows(workers, state, state.len() / values.len()), rows(workers, &values, 1));
    for ((worker, state), values) in workers.iter_mut().zip(states).zip(values) {
        worker.finish(state, values);
    }
    Ok(())
}

/// Values `[B]` of what follows the fragments; the actor has the states `[B, S]` after their last steps.
///
/// # Errors
/// Fails if the device does.
pub(super) fn values_after(workers: &[Worker], actor: &mut Actor<'_>) -> Result<Vec<f32>> {
    let starts: Vec<u8> = workers.iter().flat_map(|worker| worker.next().1).copied().collect();
    actor.peek(joined(workers.iter().map(|worker| worker.next().0)), &starts)
}

/// One step of the network from what all environments show at step `t`.
fn step(session: &mut Session<'_>, workers: &mut [Worker], t: usize, normalization: &Normalization) -> Result<()> {
    let starts: Vec<Vec<u8>> = workers.par_iter_mut().map(|worker| worker.look(t, normalization)).collect();
    let (starts, seen) = (starts.concat(), joined(workers.iter().map(|worker| worker.seen(t))));
    // The first worker measures.
    let Some(first) = workers.first_mut() else { return Ok(()) };
    match first.measures(t) {
        None => session.step(seen.all(), &starts),
        Some(energy) => {
            session.step_with_energy(seen.all(), &starts, energy.input_mask.as_deref())?;
            let own = session.energy().len() / starts.len() * first.group().len();
            first.add_energy(&session.energy()[..own]);
            Ok(())
        }
    }
}

/// Each worker's rows of `[B, width]`.
pub(super) fn rows<'v>(workers: &[Worker], mut values: &'v [f32], width: usize) -> Vec<&'v [f32]> {
    let own = |worker: &Worker| {
        let (own, rest) = values.split_at(worker.group().len() * width);
        values = rest;
        own
    };
    workers.iter().map(own).collect()
}

/// Observations, one after another.
pub(super) fn joined<'o>(mut all: impl Iterator<Item = ObservationRef<'o>>) -> Observations {
    let mut joined = all.next().map_or(Observations::F32(Vec::new()), Observations::from);
    all.for_each(|observations| joined.extend(observations));
    joined
}
