//! Values of final observations of episodes that were cut off, on a device that is given whole training sequences: it
//! goes once more through the sequences in which that happened, up to the final observation.

use super::together::rows;
use super::worker::{Final, Worker};
use super::{Normalization, Observations};
use crate::Result;
use crate::actor::Subject;
use crate::policy::Inputs;

/// An episode that was cut off, with the worker that lived it and the states `[S]` before the training sequence.
struct Cut<'w> {
    worker: &'w Worker,
    last: Final<'w>,
    state: &'w [f32],
}

impl Cut<'_> {
    /// Appends what the network sees of a sequence from step `first` on, `after` steps later: in the end, and ever
    /// after, the `seen` final observation.
    fn append(&self, first: usize, after: usize, seen: &Observations, to: &mut Observations, starts: &mut Vec<u8>) {
        let (shape, step) = (self.worker.fragment().shape, first + after);
        if step > self.last.step {
            to.extend(seen.all());
            starts.push(0);
            return;
        }
        let row = step * shape.batch + self.last.environment;
        let own = row * shape.observation..(row + 1) * shape.observation;
        to.extend(self.worker.fragment().observations.range(own));
        starts.push(self.worker.fragment().episode_starts[row]);
    }

    /// The final observation as the network sees it.
    fn seen(&self, normalization: &Normalization) -> Observations {
        let mut seen = Observations::from(self.last.observation);
        if let Observations::F32(raw) = &mut seen {
            normalization.apply(raw);
        }
        seen
    }
}

/// Values of the final observations within training sequence `segment`, worker by worker, in the order of
/// [`Worker::finals`]. `state` `[B, S]` is that of all environments before the sequence.
///
/// # Errors
/// Fails if the device does.
pub(super) fn values(workers: &[Worker], subject: Subject<'_>, segment: usize, state: &[f32]) -> Result<Vec<Vec<f32>>> {
    let Some(shape) = workers.first().map(|worker| worker.fragment().shape) else { return Ok(Vec::new()) };
    let first = segment * shape.sequence_length;
    let cuts: Vec<Cut<'_>> = (workers.iter().zip(rows(workers, state, shape.state)))
        .flat_map(|(worker, states)| {
            worker.finals(segment).map(move |last| {
                let own = last.environment * shape.state;
                Cut { worker, last, state: &states[own..own + shape.state] }
            })
        })
        .collect();
    // No more sequences at once than the device has had.
    let environments = workers.iter().map(|worker| worker.group().len()).sum();
    let values: Vec<Vec<f32>> =
        cuts.chunks(environments).map(|cuts| run(cuts, subject, first)).collect::<Result<_>>()?;
    let mut values = values.into_iter().flatten();
    Ok(workers.iter().map(|worker| values.by_ref().take(worker.finals(segment).count()).collect()).collect())
}

/// Values of the final observations, from the sequence that begins at step `first`.
fn run(cuts: &[Cut<'_>], subject: Subject<'_>, first: usize) -> Result<Vec<f32>> {
    let seen: Vec<Observations> = cuts.iter().map(|cut| cut.seen(subject.normalization)).collect();
    let steps = cuts.iter().map(|cut| cut.last.step + 2 - first).max().unwrap_or(0);
    let mut observations = seen[0].empty_like(steps * seen.iter().map(Observations::len).sum::<usize>());
    let (batch, mut starts) = (cuts.len(), Vec::with_capacity(steps * cuts.len()));
    for after in 0..steps {
        for (cut, seen) in cuts.iter().zip(&seen) {
            cut.append(first, after, seen, &mut observations, &mut starts);
        }
    }
    let state: Vec<f32> = cuts.iter().flat_map(|cut| cut.state).copied().collect();
    let inputs = Inputs { steps, batch, observations: observations.all(), episode_starts: &starts };
    let values = subject.policy.run_on_device(&inputs, &state, None)?.outputs.values;
    Ok(cuts.iter().enumerate().map(|(at, cut)| values[(cut.last.step + 1 - first) * batch + at]).collect())
}

/// Values the final observations within training sequence `segment`, whose steps are done.
///
/// # Errors
/// Fails if the device does.
pub(super) fn take_in(workers: &mut [Worker], subject: Subject<'_>, segment: usize) -> Result<()> {
    let state: Vec<f32> = workers.iter().flat_map(|worker| worker.states_before(segment)).copied().collect();
    let values = values(workers, subject, segment, &state)?;
    workers.iter_mut().zip(&values).for_each(|(worker, values)| worker.take_final_values(segment, values));
    Ok(())
}
