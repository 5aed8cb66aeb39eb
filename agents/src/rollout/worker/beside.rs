//! What a worker gives and takes if a device computes the network: its observations go there, and what comes back is put
//! in their place.

use stpn_envs::ObservationMut;
use stpn_envs::vector::Foresight;

use super::Worker;
use crate::policy::encoder::ObservationRef;
use crate::rollout::Normalization;
use crate::{Error, Result};

impl Worker {
    /// Normalises the observations of step `t`, which the network then sees; returns whose first ones they are.
    pub(in crate::rollout) fn look(&mut self, t: usize, normalization: &Normalization) -> Vec<u8> {
        let (mut observations, starts) = self.observed(t);
        if let ObservationMut::F32(raw) = &mut observations {
            normalization.apply(raw);
        }
        starts.to_vec()
    }

    /// Keeps the states `[B, S]` before the training sequence that begins at step `t`.
    pub(in crate::rollout) fn keep_state(&mut self, t: usize, state: &[f32]) {
        let start = t / self.fragment.shape.sequence_length * state.len();
        self.fragment.sequence_states[start..start + state.len()].copy_from_slice(state);
    }

    /// The observations `[B, O]` of step `t`.
    pub(in crate::rollout) fn seen(&self, t: usize) -> ObservationRef<'_> {
        let row = self.fragment.shape.batch * self.fragment.shape.observation;
        self.fragment.observations.range(t * row..(t + 1) * row)
    }

    /// `[B]` 1 if step `t` is the first of an episode.
    pub(in crate::rollout) fn starts(&self, t: usize) -> &[u8] {
        let batch = self.fragment.shape.batch;
        &self.fragment.episode_starts[t * batch..(t + 1) * batch]
    }

    /// The states `[B, S]` before training sequence `segment`.
    pub(in crate::rollout) fn states_before(&self, segment: usize) -> &[f32] {
        let len = self.state.len();
        &self.fragment.sequence_states[segment * len..(segment + 1) * len]
    }

    /// The first environment whose observation of step `t` is not the `expected` one, `[B, O]`.
    pub(in crate::rollout) fn differs(&self, t: usize, expected: &[f32]) -> Option<usize> {
        let ObservationRef::F32(seen) = self.seen(t) else { return None };
        let width = self.fragment.shape.observation;
        seen.chunks_exact(width).zip(expected.chunks_exact(width)).position(|(seen, there)| seen != there)
    }

    /// The error of an environment that shows at step `t` what was not foreseen.
    pub(in crate::rollout) fn not_foreseen(&self, environment: usize, step: usize) -> Error {
        Error::NotForeseen { environment: self.group.first() + environment, step }
    }

    /// What the environments will show, if that does not depend on actions.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub(in crate::rollout) fn foresee(&mut self, steps: usize) -> Result<Foresight> {
        Ok(self.group.foresee(steps)?)
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(in crate::rollout) fn go_on(&self) -> Result<()> {
        self.stop.go_on()
    }

    /// `[B]` 1 if the next step is the first of an episode.
    pub(in crate::rollout) fn episode_starts(&self) -> &[u8] {
        &self.episode_starts
    }

    /// Puts what the network saw in their place.
    pub(in crate::rollout) fn keep_seen(&mut self, t: usize, seen: ObservationRef<'_>) {
        self.fragment.observations.write(t * seen.len(), seen);
    }

    /// [`Worker::end`] with the states `[B, S]` after the last step, and the values `[B]` of what follows.
    pub(in crate::rollout) fn finish(&mut self, state: &[f32], values: &[f32]) {
        self.state.copy_from_slice(state);
        self.estimate(values);
    }
}
