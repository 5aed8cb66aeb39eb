//! Minibatches on a device: it has all sequences of the rollout, and takes some of them at each step.

use super::objective::PpoObjective;
use crate::Result;
use crate::algorithms::batch::{SequenceBatch, SequenceColumns, SequenceId, sequences};
use crate::algorithms::objective::{Losses, Objective};
use crate::learner::Learner;
use crate::policy::accelerator::{DeviceAdvantages, DeviceBehaviour, Kept};
use crate::rollout::Fragment;

/// A rollout on the policy's device, without advantages, which can change from epoch to epoch.
pub(super) struct PlacedRollout {
    kept: Kept,
    columns: SequenceColumns,
}

impl PlacedRollout {
    /// Brings it there; distributions too if the `divergence` from them counts.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(learner: &Learner, fragments: &[&Fragment], divergence: bool) -> Result<Self> {
        let mut ids = sequences(fragments);
        // The order of columns.
        ids.sort_by_key(|id| id.segment);
        let all = SequenceBatch::gather(fragments, None, &ids);
        let (counts, state) = (all.counts(), &all.state);
        let acted = DeviceBehaviour {
            log_probs: &all.log_probs,
            values: &all.values,
            distributions: divergence.then_some(&all.distributions),
        };
        let kept = learner.prepare()?.place_rollout(&all.inputs(), state, &all.for_device(&counts), &acted)?;
        Ok(Self { kept, columns: SequenceColumns::new(fragments) })
    }

    /// Gradient and losses of some sequences, of which there is at least one, with the `advantages` that are there; the
    /// gradient stays there too.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn gradient(
        &self,
        objective: &PpoObjective,
        (learner, advantages): (&Learner, &Kept),
        (fragments, ids): (&[&Fragment], &[SequenceId]),
        scale: f64,
    ) -> Result<(Kept, Losses)> {
        let steps = ids.iter().map(|id| fragments[id.worker].shape.segment_steps(id.segment)).max().unwrap_or(0);
        let columns = self.columns.of(ids);
        let part = (DeviceAdvantages { kept: advantages, columns: &columns }, steps);
        learner.prepare()?.minimize_part(&self.kept, part, &objective.on_device(scale))
    }
}
