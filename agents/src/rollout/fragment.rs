//! One group's part of a rollout: T steps of B environments, as training needs them.
//!
//! Two masks, never one: advantages stop where an episode `terminated` or was `truncated`; the recurrent state is
//! zeroed where an episode starts.

use stpn_envs::{Episode, Space};

use super::Observations;
use crate::policy::ActorCritic;
use crate::policy::distribution::ActionBuffer;

/// T steps of B environments. Every `[T, B]` buffer is time-major.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// Extents.
    pub shape: FragmentShape,
    /// `[T + 1, B, O]` as the network saw them; the last row is what comes after the fragment, as the environment
    /// wrote it.
    pub observations: Observations,
    /// `[T, B]`
    pub actions: ActionBuffer,
    /// `[T, B]` log-probability of each action under the policy that took it.
    pub log_probs: Vec<f32>,
    /// `[T, B, P]` parameters of the distributions that the actions were drawn from.
    pub distributions: Vec<f32>,
    /// Values, as the policy that acted estimated them.
    pub estimates: Estimates,
    /// `[T, B]` raw rewards.
    pub rewards: Vec<f32>,
    /// `[T, B]` the task ended with this step.
    pub terminated: Vec<bool>,
    /// `[T, B]` the episode was cut off after this step.
    pub truncated: Vec<bool>,
    /// `[T, B]` 1 if this step is the first of an episode.
    pub episode_starts: Vec<u8>,
    /// `[⌈T / L⌉, B, S]` packed recurrent states before the first step of each training sequence.
    pub sequence_states: Vec<f32>,
    /// Episodes that ended in this fragment, in order.
    pub episodes: Vec<Episode>,
    /// Sum over sampled steps and environments of the mean energy per unit, and the number of samples.
    pub energy: (f64, u64),
}

/// A policy's estimates of the values of a fragment.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimates {
    /// `[T, B]` of the observations acted on.
    pub values: Vec<f32>,
    /// `[T, B]` of the final observation with the recurrent state of that moment, where truncated; 0 elsewhere.
    pub final_values: Vec<f32>,
    /// `[B]` of the observation after the fragment.
    pub last_values: Vec<f32>,
}

impl Estimates {
    /// Zeros for T = `steps` of B = `batch` environments.
    pub fn zeros(steps: usize, batch: usize) -> Self {
        let n = steps * batch;
        Self { values: vec![0.0; n], final_values: vec![0.0; n], last_values: vec![0.0; batch] }
    }
}

/// Extents of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentShape {
    /// Steps T.
    pub steps: usize,
    /// Environments B.
    pub batch: usize,
    /// Steps L between stored recurrent states: the length of training sequences.
    pub sequence_length: usize,
    /// Elements O of an observation.
    pub observation: usize,
    /// Scalars S of recurrent state.
    pub state: usize,
    /// Numbers P that parametrise an action distribution.
    pub distribution: usize,
    /// Numbers A in an action.
    pub action: usize,
}

impl FragmentShape {
    /// Training sequences along time.
    pub fn segments(&self) -> usize {
        self.steps.div_ceil(self.sequence_length)
    }

    /// Steps of training sequence number `segment`: L, or what is left over for the last.
    pub fn segment_steps(&self, segment: usize) -> usize {
        self.sequence_length.min(self.steps - segment * self.sequence_length)
    }
}

impl Fragment {
    /// Room for T = `steps` of B = `batch` environments of those observations under `policy`, in training sequences of
    /// `sequence_length` steps.
    pub fn new(steps: usize, batch: usize, sequence_length: usize, observations: &Space, policy: &ActorCritic) -> Self {
        let distribution = policy.distribution();
        let shape = FragmentShape {
            steps,
            batch,
            sequence_length,
            observation: observations.len(),
            state: policy.state_len(),
            distribution: distribution.len(),
            action: distribution.action_len(),
        };
        let n = steps * batch;
        Self {
            shape,
            observations: Observations::zeros(observations.dtype(), (steps + 1) * batch * shape.observation),
            actions: distribution.buffer(n),
            log_probs: vec![0.0; n],
            distributions: vec![0.0; n * shape.distribution],
            estimates: Estimates::zeros(steps, batch),
            rewards: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            episode_starts: vec![0; n],
            sequence_states: vec![0.0; shape.segments() * batch * shape.state],
            episodes: Vec::new(),
            energy: (0.0, 0),
        }
    }
}
