//! Sequences as a loss sees them.

use crate::advantage::Advantages;
use crate::policy::distribution::ActionBuffer;
use crate::rollout::Fragment;

/// B training sequences of L steps from their exact initial states; every slice is time-major.
#[derive(Clone, Debug)]
pub struct SequenceBatch<'a> {
    /// Steps L.
    pub steps: usize,
    /// Sequences B.
    pub batch: usize,
    /// `[L, B, O]`
    pub observations: &'a [f32],
    /// `[L, B]` 1 where an episode starts.
    pub episode_starts: &'a [u8],
    /// `[B, S]` recurrent states before the first step.
    pub state: &'a [f32],
    /// `[L, B]`
    pub actions: ActionBuffer,
    /// `[L, B]`
    pub advantages: &'a [f32],
    /// `[L, B]`
    pub returns: &'a [f32],
}

impl<'a> SequenceBatch<'a> {
    /// Training sequence number `segment` of every environment of a fragment, without copying observations.
    pub fn segment(fragment: &'a Fragment, advantages: &'a Advantages, segment: usize) -> Self {
        let batch = fragment.batch;
        let start = segment * fragment.sequence_length;
        let steps = fragment.sequence_length.min(fragment.steps - start);
        let now = start * batch..(start + steps) * batch;
        let observation = fragment.observations.len() / ((fragment.steps + 1) * batch);
        let state = fragment.sequence_states.len() / fragment.segments();
        Self {
            steps,
            batch,
            observations: &fragment.observations[now.start * observation..now.end * observation],
            episode_starts: &fragment.episode_starts[now.clone()],
            state: &fragment.sequence_states[segment * state..(segment + 1) * state],
            actions: fragment.actions.range(now.clone()),
            advantages: &advantages.advantages[now.clone()],
            returns: &advantages.returns[now],
        }
    }
}
