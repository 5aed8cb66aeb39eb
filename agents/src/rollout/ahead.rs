//! Rollouts of environments that show the same whatever is done, with a network on a device, which is given whole
//! training sequences at once. The environments are stepped afterwards.

use rayon::prelude::*;
use stpn_envs::vector::Foresight;

use super::finals;
use super::together::{self, rows};
use super::worker::Worker;
use crate::Result;
use crate::actor::{Actor, Subject};
use crate::policy::Inputs;
use crate::policy::accelerator::Ran;
use crate::policy::encoder::ObservationRef;

/// Whether all environments of these workers do so.
pub fn applies(workers: &[Worker]) -> bool {
    workers.iter().all(|worker| worker.group().ignores_actions())
}

/// Collects one fragment of every worker, and leaves it in [`Worker::fragment`].
///
/// # Errors
/// [`crate::Error::NotForeseen`] if an environment shows something else than it did in advance; fails if the device or
/// an environment does, and with [`crate::Error::Stopped`] if the update is to be given up.
pub fn collect(workers: &mut [Worker], subject: Subject<'_>) -> Result<()> {
    let Some(shape) = workers.first().map(|worker| worker.fragment().shape) else { return Ok(()) };
    let foreseen: Vec<Result<Foresight>> = workers.par_iter_mut().map(|worker| worker.foresee(shape.steps)).collect();
    let foreseen = foreseen.into_iter().collect::<Result<Vec<Foresight>>>()?;
    workers.par_iter_mut().for_each(|worker| worker.begin(subject.normalization));
    let mut state: Vec<f32> = workers.iter().flat_map(Worker::state).copied().collect();
    let batch = workers.iter().map(|worker| worker.group().len()).sum();
    for segment in 0..shape.segments() {
        let (first, steps) = (segment * shape.sequence_length, shape.segment_steps(segment));
        let states = rows(workers, &state, shape.state);
        workers.iter_mut().zip(states).for_each(|(worker, state)| worker.keep_state(first, state));
        let (mut seen, mut starts) = (Vec::new(), Vec::new());
        for t in first..first + steps {
            for (worker, foresight) in workers.iter().zip(&foreseen) {
                let (observations, own) = shown(worker, foresight, t);
                seen.extend_from_slice(observations);
                starts.extend_from_slice(own);
            }
        }
        subject.normalization.apply(&mut seen);
        // The first worker measures.
        let energy = workers[0].energy_steps(first, workers[0].group().len());
        let inputs = Inputs { steps, batch, observations: ObservationRef::F32(&seen), episode_starts: &starts };
        let ran = subject.policy.run_on_device(&inputs, &state, energy.as_ref())?;
        workers[0].add_measured(ran.energy);
        follow(workers, &foreseen, subject, first, (&seen, &ran))?;
        finals::take_in(workers, subject, segment)?;
        state = ran.state;
    }
    let mut actor = Actor::new(subject, batch)?;
    actor.session_mut().load(&state)?;
    together::end(workers, &mut actor, &state)
}

/// What a worker's environments show at step `t`, and whose first observations those are.
fn shown<'s>(worker: &'s Worker, foresight: &'s Foresight, t: usize) -> (&'s [f32], &'s [u8]) {
    match (t, worker.seen(0)) {
        (0, ObservationRef::F32(observations)) => (observations, worker.episode_starts()),
        _ => foresight.after(t - 1),
    }
}

/// Lets the environments follow from step `first` on, on what the network put out for what it saw, `[L, B, …]`.
fn follow(
    workers: &mut [Worker],
    foreseen: &[Foresight],
    subject: Subject<'_>,
    first: usize,
    (seen, ran): (&[f32], &Ran),
) -> Result<()> {
    let distribution = subject.policy.policy().distribution();
    let batch: usize = workers.iter().map(|worker| worker.group().len()).sum();
    let steps = ran.outputs.values.len() / batch;
    let (width, len) = (seen.len() / (steps * batch), distribution.len());
    let mut from = 0;
    let columns: Vec<usize> = workers
        .iter()
        .map(|worker| {
            let own = from;
            from += worker.group().len();
            own
        })
        .collect();
    let followed: Vec<Result<()>> = (workers.par_iter_mut().zip(foreseen).zip(columns))
        .map(|((worker, foresight), column)| {
            for step in 0..steps {
                worker.go_on()?;
                let (t, row) = (first + step, step * batch + column..step * batch + column + worker.group().len());
                worker.observed(t);
                check(worker, foresight, t)?;
                worker.keep_seen(t, ObservationRef::F32(&seen[row.start * width..row.end * width]));
                let parameters = &ran.outputs.distributions[row.start * len..row.end * len];
                worker.act(t, distribution, parameters, &ran.outputs.values[row])?;
                worker.keep_finals(t);
            }
            check(worker, foresight, first + steps)
        })
        .collect();
    // What fails first, by the order of the environments.
    followed.into_iter().collect()
}

/// Refuses what a worker's environments show before step `t` if it is not what they showed in advance.
fn check(worker: &Worker, foresight: &Foresight, t: usize) -> Result<()> {
    if t == 0 {
        return Ok(());
    }
    let (observations, starts) = shown(worker, foresight, t);
    let other = worker.episode_starts().iter().zip(starts).position(|(here, there)| here != there);
    match other.or_else(|| worker.differs(t, observations)) {
        Some(environment) => Err(worker.not_foreseen(environment, t)),
        None => Ok(()),
    }
}
