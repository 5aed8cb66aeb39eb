//! Minibatches on a device: it has all sequences of the rollout, and takes some of them at each step.

use super::objective::PpoObjective;
use crate::Result;
use crate::advantage::Advantages;
use crate::algorithms::batch::{SequenceBatch, SequenceId, sequences};
use crate::algorithms::objective::{Losses, Objective};
use crate::learner::Learner;
use crate::policy::accelerator::{DeviceBehaviour, Kept};
use crate::rollout::Fragment;

/// A rollout on the policy's device, with the advantages of its steps.
pub(super) struct PlacedRollout {
    kept: Kept,
    /// Number of each worker's first sequence.
    first: Vec<usize>,
}

impl PlacedRollout {
    /// Brings it there; distributions too if the `divergence` from them counts.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(
        learner: &mut Learner,
        fragments: &[&Fragment],
        advantages: &[Advantages],
        divergence: bool,
    ) -> Result<Self> {
        let mut end = 0;
        let first = fragments.iter().map(|fragment| {
            let first = end;
            end += fragment.shape.segments() * fragment.shape.batch;
            first
        });
        let first = first.collect();
        let all = SequenceBatch::gather(fragments, advantages, &sequences(fragments));
        let (counts, state) = (all.counts(), &all.state);
        let acted = DeviceBehaviour {
            log_probs: &all.log_probs,
            values: &all.values,
            distributions: divergence.then_some(&all.distributions),
        };
        let kept = learner.prepare()?.place_rollout(&all.inputs(), state, &all.for_device(&counts), &acted)?;
        Ok(Self { kept, first })
    }

    /// Gradient and losses of some sequences, of which there is at least one; the gradient stays on the device.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn gradient(
        &self,
        objective: &PpoObjective,
        learner: &mut Learner,
        fragments: &[&Fragment],
        ids: &[SequenceId],
        scale: f64,
    ) -> Result<(Kept, Losses)> {
        // Fewer than 2³²: memory ends before.
        let number = |id: &SequenceId| {
            (self.first[id.worker] + id.segment * fragments[id.worker].shape.batch + id.environment) as u32
        };
        let steps = ids.iter().map(|id| fragments[id.worker].shape.segment_steps(id.segment)).max().unwrap_or(0);
        let numbers: Vec<u32> = ids.iter().map(number).collect();
        learner.prepare()?.minimize_part(&self.kept, (&numbers, steps), &objective.on_device(scale))
    }
}
