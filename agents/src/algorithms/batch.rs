//! Sequences as a loss sees them.

use crate::advantage::Advantages;
use crate::policy::Inputs;
use crate::policy::accelerator::DeviceSteps;
use crate::policy::distribution::ActionBuffer;
use crate::rollout::{Fragment, Observations};

/// Which training sequence: a segment of one environment's fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceId {
    /// Number of the worker.
    pub worker: usize,
    /// Number of the segment along time.
    pub segment: usize,
    /// The environment among the worker's.
    pub environment: usize,
}

/// Every training sequence of a rollout, worker by worker, segment by segment.
pub fn sequences(fragments: &[&Fragment]) -> Vec<SequenceId> {
    let of_worker = |(worker, fragment): (usize, &&Fragment)| {
        let (segments, batch) = (fragment.shape.segments(), fragment.shape.batch);
        (0..segments)
            .flat_map(move |segment| (0..batch).map(move |environment| SequenceId { worker, segment, environment }))
    };
    fragments.iter().enumerate().flat_map(of_worker).collect()
}

/// The columns of a rollout's sequences on a device: all environments of the first segment, worker by worker, then
/// those of the next one.
#[derive(Clone, Debug)]
pub struct SequenceColumns {
    /// Of each worker's first environment in the first segment.
    first: Vec<usize>,
    environments: usize,
}

impl SequenceColumns {
    /// Of the workers' fragments.
    pub fn new(fragments: &[&Fragment]) -> Self {
        let mut environments = 0;
        let first = fragments.iter().map(|fragment| {
            let first = environments;
            environments += fragment.shape.batch;
            first
        });
        Self { first: first.collect(), environments }
    }

    /// Of some sequences.
    pub fn of(&self, ids: &[SequenceId]) -> Vec<u32> {
        let of = |id: &SequenceId| id.segment * self.environments + self.first[id.worker] + id.environment;
        // Fewer than 2³²: memory ends before.
        ids.iter().map(|id| of(id) as u32).collect()
    }
}

/// B training sequences of at most L steps from their exact initial states. Every `[L, B]` buffer is time-major.
///
/// Shorter sequences are padded behind their last step, where nothing reaches a state that counts; their padding has
/// no loss.
#[derive(Clone, Debug)]
pub struct SequenceBatch {
    /// Steps L.
    pub steps: usize,
    /// `[B]` steps of each sequence.
    pub lengths: Vec<usize>,
    /// `[L, B, O]`
    pub observations: Observations,
    /// `[L, B]` 1 if an episode starts.
    pub episode_starts: Vec<u8>,
    /// `[B, S]` recurrent states before the first step.
    pub state: Vec<f32>,
    /// `[L, B]`
    pub actions: ActionBuffer,
    /// Numbers A in an action.
    pub action_len: usize,
    /// `[L, B]` log-probabilities under the policy that acted.
    pub log_probs: Vec<f32>,
    /// `[L, B, P]` parameters of the distributions that the actions were drawn from.
    pub distributions: Vec<f32>,
    /// `[L, B]` values of the policy that acted.
    pub values: Vec<f32>,
    /// `[L, B]`; empty if they are on a device.
    pub advantages: Vec<f32>,
    /// `[L, B]`; empty if they are on a device.
    pub returns: Vec<f32>,
}

impl SequenceBatch {
    /// Copies the sequences `ids` out of the workers' fragments, with each worker's advantages if they are not on a
    /// device.
    ///
    /// # Panics
    /// If `ids` is empty.
    pub fn gather(fragments: &[&Fragment], advantages: Option<&[Advantages]>, ids: &[SequenceId]) -> Self {
        let first = fragments[ids[0].worker];
        let shape = first.shape;
        let lengths: Vec<usize> = ids.iter().map(|id| fragments[id.worker].shape.segment_steps(id.segment)).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0);
        let n = steps * ids.len();
        let floats = |width: usize| Vec::with_capacity(n * width);
        let mut batch = Self {
            steps,
            observations: first.observations.empty_like(n * shape.observation),
            episode_starts: Vec::with_capacity(n),
            state: Vec::with_capacity(ids.len() * shape.state),
            actions: first.actions.empty_like(n, shape.action),
            action_len: shape.action,
            log_probs: floats(1),
            distributions: floats(shape.distribution),
            values: floats(1),
            advantages: floats(usize::from(advantages.is_some())),
            returns: floats(usize::from(advantages.is_some())),
            lengths,
        };
        for id in ids {
            let (fragment, width) = (fragments[id.worker], shape.state);
            let start = (id.segment * fragment.shape.batch + id.environment) * width;
            batch.state.extend_from_slice(&fragment.sequence_states[start..start + width]);
        }
        for t in 0..steps {
            for (i, id) in ids.iter().enumerate() {
                if t < batch.lengths[i] {
                    batch.push(fragments[id.worker], advantages.map(|all| &all[id.worker]), *id, t);
                } else {
                    batch.pad(first, advantages.is_some());
                }
            }
        }
        batch
    }

    /// Appends step `t` of a sequence.
    fn push(&mut self, fragment: &Fragment, advantages: Option<&Advantages>, id: SequenceId, t: usize) {
        let shape = fragment.shape;
        let n = (id.segment * shape.sequence_length + t) * shape.batch + id.environment;
        let row = |width: usize| n * width..(n + 1) * width;
        self.observations.extend(fragment.observations.range(row(shape.observation)));
        self.episode_starts.push(fragment.episode_starts[n]);
        self.actions.push(&fragment.actions, n, shape.action);
        self.log_probs.push(fragment.log_probs[n]);
        self.distributions.extend_from_slice(&fragment.distributions[row(shape.distribution)]);
        self.values.push(fragment.estimates.values[n]);
        if let Some(Advantages { advantages, returns }) = advantages {
            self.advantages.push(advantages[n]);
            self.returns.push(returns[n]);
        }
    }

    /// Appends a step that does not count, with or without an advantage.
    fn pad(&mut self, like: &Fragment, advantage: bool) {
        self.observations.pad(like.shape.observation);
        self.episode_starts.push(0);
        self.actions.push_padding(like.shape.action);
        self.distributions.extend(std::iter::repeat_n(0.0, like.shape.distribution));
        self.log_probs.push(0.0);
        self.values.push(0.0);
        if advantage {
            self.advantages.push(0.0);
            self.returns.push(0.0);
        }
    }

    /// Sequences B.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// What the network sees.
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            steps: self.steps,
            batch: self.batch(),
            observations: self.observations.all(),
            episode_starts: &self.episode_starts,
        }
    }

    /// `[L, B]` 0 for padding.
    pub fn counts(&self) -> Vec<u8> {
        let mut counts = vec![0; self.steps * self.batch()];
        self.places().for_each(|n| counts[n] = 1);
        counts
    }

    /// Its steps for a loss on a device, which has their advantages, with [`SequenceBatch::counts`].
    pub fn for_device<'a>(&'a self, counts: &'a [u8]) -> DeviceSteps<'a> {
        DeviceSteps { actions: &self.actions, counts }
    }

    /// Places `[L, B]` of the steps that count, in order.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let batch = self.batch();
        (0..self.steps * batch).filter(move |n| n / batch < self.lengths[n % batch])
    }
}
