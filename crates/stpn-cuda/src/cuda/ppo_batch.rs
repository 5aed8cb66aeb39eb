//! Training sequences as PPO's loss reads them, on a device.

use std::sync::Arc;

use super::advantage::Advantages;
use super::device::{Buffer, CudaReal};
use super::gather::Columns;
use super::general::General;
use super::loss::{PlacedActions, PlacedDistribution};
use crate::distribution::Distribution;
use crate::lengths::{expect, expect_all};
use crate::policy::{OutputGradients, Outputs};
use crate::ppo::{self, PpoInputs, PpoLoss, PpoSteps, PpoSums};
use crate::{Extent, Result};

/// B sequences of L steps, as PPO's loss reads them; their advantages are apart.
#[derive(Debug)]
pub struct PpoBatch<T> {
    policy: Distribution,
    /// The same there; all parts share it.
    placed: Arc<PlacedDistribution>,
    extent: Extent,
    actions: PlacedActions<T>,
    log_probs: Buffer<T>,
    values: Buffer<T>,
    distributions: Option<Buffer<T>>,
    counts: Option<Buffer<u8>>,
}

impl<T: CudaReal> General<T> {
    /// Brings the steps of sequences, `[L, B]`, to the device.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, [`Error::Device`](crate::Error::Device).
    pub fn ppo_batch(&self, extent: Extent, steps: &PpoSteps<'_, T>) -> Result<PpoBatch<T>> {
        expect("steps", steps.check()?, extent.steps * extent.batch)?;
        let device = self.device();
        Ok(PpoBatch {
            policy: steps.policy.clone(),
            placed: Arc::new(PlacedDistribution::new(device, steps.policy)?),
            extent,
            actions: PlacedActions::new(device, steps.actions)?,
            log_probs: device.upload(steps.log_probs)?,
            values: device.upload(steps.values)?,
            distributions: steps.distributions.map(|distributions| device.upload(distributions)).transpose()?,
            counts: steps.counts.map(|counts| device.upload(counts)).transpose()?,
        })
    }

    /// The gradient of PPO's loss in the outputs of heads over the steps of a batch with `advantages`, in their order,
    /// and the sums of the loss. Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for a
    /// divergence without coefficient or distributions, [`Error::Device`](crate::Error::Device).
    pub fn ppo_loss(
        &self,
        loss: &PpoLoss,
        outputs: Outputs<'_, Buffer<T>>,
        batch: &PpoBatch<T>,
        Advantages { advantages, returns }: &Advantages<T>,
    ) -> Result<(OutputGradients<Buffer<T>>, PpoSums)> {
        let steps = batch.extent.steps * batch.extent.batch;
        loss.check(batch.distributions.is_some())?;
        outputs.check(&batch.policy, steps, Buffer::len)?;
        expect_all(&[("advantages", advantages.len()), ("returns", returns.len())], steps)?;
        let (device, runner) = (self.device(), self.runner(None));
        let inputs = PpoInputs {
            steps,
            policy: batch.placed.inputs(&runner, (&batch.policy, &batch.actions), outputs),
            advantages,
            returns,
            log_probs: &batch.log_probs,
            values: &batch.values,
            distributions: batch.distributions.as_ref(),
            counts: batch.counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grads, partials) = ppo::ppo(&runner, loss, &inputs)?;
        Ok((grads, PpoSums::of(&device.download(&partials)?)))
    }
}

impl<T: CudaReal> PpoBatch<T> {
    /// L and B.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// The first `steps` steps of some of the sequences. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for more steps than there are, [`Error::Device`](crate::Error::Device).
    pub fn part(&self, general: &General<T>, steps: usize, columns: &Columns) -> Result<Self> {
        let numbers = |from: &Buffer<T>, width: usize| general.gather(from, [steps, width], columns);
        let dims = self.policy.dims();
        Ok(Self {
            policy: self.policy.clone(),
            placed: Arc::clone(&self.placed),
            extent: Extent { steps, batch: columns.len() },
            actions: match &self.actions {
                PlacedActions::Choices(choices) => {
                    PlacedActions::Choices(general.gather(choices, [steps, dims], columns)?)
                }
                PlacedActions::Draws(draws) => PlacedActions::Draws(numbers(draws, dims)?),
            },
            log_probs: numbers(&self.log_probs, 1)?,
            values: numbers(&self.values, 1)?,
            distributions: match &self.distributions {
                Some(distributions) => Some(numbers(distributions, self.policy.parameters())?),
                None => None,
            },
            counts: match &self.counts {
                Some(counts) => Some(general.gather(counts, [steps, 1], columns)?),
                None => None,
            },
        })
    }
}
