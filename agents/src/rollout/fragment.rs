//! One group's part of a rollout: T steps of B environments, as training needs them.
//!
//! Two masks, never one: advantages stop where an episode `terminated` or was `truncated`; the recurrent state is
//! zeroed where an episode starts.

use stpn_envs::Episode;

use crate::policy::distribution::{ActionBuffer, Distribution};

/// T steps of B environments. Every `[T, B]` buffer is time-major.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Steps T.
    pub steps: usize,
    /// Environments B.
    pub batch: usize,
    /// Steps between stored recurrent states: the length of training sequences.
    pub sequence_length: usize,
    /// `[T + 1, B, O]`; the last row is what comes after the fragment.
    pub observations: Vec<f32>,
    /// `[T, B]`
    pub actions: ActionBuffer,
    /// `[T, B]` log-probability of each action under the policy that took it.
    pub log_probs: Vec<f32>,
    /// `[T, B]` value estimates of the policy that acted.
    pub values: Vec<f32>,
    /// `[T, B]` raw rewards.
    pub rewards: Vec<f32>,
    /// `[T, B]` the task ended with this step.
    pub terminated: Vec<bool>,
    /// `[T, B]` the episode was cut off after this step.
    pub truncated: Vec<bool>,
    /// `[T, B]` 1 where this step is the first of an episode.
    pub episode_starts: Vec<u8>,
    /// `[T, B]` value of the final observation with the recurrent state of that moment, where truncated; 0 elsewhere.
    pub final_values: Vec<f32>,
    /// `[B]` value of the observation after the fragment.
    pub last_values: Vec<f32>,
    /// `[⌈T / sequence_length⌉, B, S]` packed recurrent states before the first step of each training sequence.
    pub sequence_states: Vec<f32>,
    /// Episodes that ended in this fragment, in order.
    pub episodes: Vec<Episode>,
    /// Sum over sampled steps and environments of the mean energy per unit, and the number of samples.
    pub energy: (f64, u64),
}

impl Fragment {
    /// Room for a fragment; `observation` = O, `state` = S.
    pub fn new(
        steps: usize,
        batch: usize,
        sequence_length: usize,
        observation: usize,
        state: usize,
        distribution: Distribution,
    ) -> Self {
        let n = steps * batch;
        Self {
            steps,
            batch,
            sequence_length,
            observations: vec![0.0; (steps + 1) * batch * observation],
            actions: distribution.buffer(n),
            log_probs: vec![0.0; n],
            values: vec![0.0; n],
            rewards: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            episode_starts: vec![0; n],
            final_values: vec![0.0; n],
            last_values: vec![0.0; batch],
            sequence_states: vec![0.0; steps.div_ceil(sequence_length) * batch * state],
            episodes: Vec::new(),
            energy: (0.0, 0),
        }
    }

    /// Training sequences along time.
    pub fn segments(&self) -> usize {
        self.steps.div_ceil(self.sequence_length)
    }
}
