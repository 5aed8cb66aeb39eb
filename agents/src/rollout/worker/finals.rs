//! Episodes that a time limit cuts off: their final observations, and what these are worth.

use super::Worker;
use crate::policy::encoder::ObservationRef;

/// The end of an episode that was cut off.
#[derive(Clone, Copy, Debug)]
pub(in crate::rollout) struct Final<'w> {
    /// Its last step, in the fragment.
    pub step: usize,
    /// The environment, in its worker.
    pub environment: usize,
    /// `[O]` what followed, as the environment wrote it.
    pub observation: ObservationRef<'w>,
}

impl Worker {
    /// Whether an episode was cut off at step `t`.
    pub(in crate::rollout) fn was_truncated(&self, t: usize) -> bool {
        self.truncated_at(t).next().is_some()
    }

    /// The environments whose episodes were.
    fn truncated_at(&self, t: usize) -> impl Iterator<Item = usize> {
        let (fragment, batch) = (&self.fragment, self.fragment.shape.batch);
        (0..batch).filter(move |i| fragment.truncated[t * batch + i] && !fragment.terminated[t * batch + i])
    }

    /// Final observations `[B, O]` of the episodes that ended at the last step.
    pub(in crate::rollout) fn final_observations(&self) -> ObservationRef<'_> {
        self.final_observations.all()
    }

    /// Keeps the final observations of episodes that were cut off at step `t`, the last one.
    pub(in crate::rollout) fn keep_finals(&mut self, t: usize) {
        let shape = self.fragment.shape;
        for i in self.truncated_at(t).collect::<Vec<_>>() {
            self.finals.push(t * shape.batch + i);
            self.final_rows.extend(self.final_observations.range(i * shape.observation..(i + 1) * shape.observation));
        }
    }

    /// The same, with the values `[B]` of what followed.
    pub(in crate::rollout) fn value_finals(&mut self, t: usize, values: &[f32]) {
        self.keep_finals(t);
        for i in self.truncated_at(t).collect::<Vec<_>>() {
            self.fragment.estimates.final_values[t * self.fragment.shape.batch + i] = values[i];
        }
    }

    /// Those within training sequence `segment`, in the order of steps and environments.
    pub(in crate::rollout) fn finals(&self, segment: usize) -> impl Iterator<Item = Final<'_>> {
        let shape = self.fragment.shape;
        let of = move |(place, &n): (usize, &usize)| Final {
            step: n / shape.batch,
            environment: n % shape.batch,
            observation: self.final_rows.range(place * shape.observation..(place + 1) * shape.observation),
        };
        let within = move |last: &Final<'_>| last.step / shape.sequence_length == segment;
        self.finals.iter().enumerate().map(of).filter(within)
    }

    /// Writes their values into those of a fragment, `[T, B]`.
    pub(in crate::rollout) fn place_final_values(&self, segment: usize, values: &[f32], all: &mut [f32]) {
        let batch = self.fragment.shape.batch;
        for (last, value) in self.finals(segment).zip(values) {
            all[last.step * batch + last.environment] = *value;
        }
    }

    /// Takes in their values.
    pub(in crate::rollout) fn take_final_values(&mut self, segment: usize, values: &[f32]) {
        let mut all = std::mem::take(&mut self.fragment.estimates.final_values);
        self.place_final_values(segment, values, &mut all);
        self.fragment.estimates.final_values = all;
    }
}
