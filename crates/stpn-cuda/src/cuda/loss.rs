//! Losses on a device, from the outputs of heads that lie there.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::loss::{self, A2cLoss, A2cSteps, A2cSums, LossInputs};
use crate::ppo::{self, PpoInputs, PpoLoss, PpoSteps, PpoSums};
use crate::{Extent, Result};

impl<T: CudaReal> General<T> {
    /// The gradient of A2C's loss in the outputs `[N, choices + 1]` (logits and a value), in their order, and the sums
    /// of the loss. Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, [`Error::Device`](crate::Error::Device).
    pub fn a2c_loss(
        &self,
        loss: &A2cLoss,
        outputs: &Buffer<T>,
        steps: &A2cSteps<'_, T>,
    ) -> Result<(Buffer<T>, A2cSums)> {
        steps.check(outputs.len())?;
        let (device, runner) = (self.device(), self.runner(None));
        let (advantages, returns) = (device.upload(steps.advantages)?, device.upload(steps.returns)?);
        let actions = device.upload(steps.actions)?;
        let counts = steps.counts.map(|counts| device.upload(counts)).transpose()?;
        let inputs = LossInputs {
            extent: Extent { steps: steps.actions.len(), batch: 1 },
            choices: steps.choices,
            outputs,
            actions: runner.address_of(&actions),
            advantages: &advantages,
            returns: &returns,
            counts: counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grad, partials) = loss::a2c(&runner, loss, &inputs)?;
        Ok((grad, A2cSums::of(&device.download(&partials)?)))
    }

    /// The gradient of PPO's loss in the outputs `[N, choices + 1]` (logits and a value), in their order, and the sums
    /// of the loss. Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, or for a divergence without coefficient or logits,
    /// [`Error::Device`](crate::Error::Device).
    pub fn ppo_loss(
        &self,
        loss: &PpoLoss,
        outputs: &Buffer<T>,
        steps: &PpoSteps<'_, T>,
    ) -> Result<(Buffer<T>, PpoSums)> {
        steps.check(loss, outputs.len())?;
        let (device, runner) = (self.device(), self.runner(None));
        let (advantages, returns) = (device.upload(steps.advantages)?, device.upload(steps.returns)?);
        let (log_probs, values) = (device.upload(steps.log_probs)?, device.upload(steps.values)?);
        let actions = device.upload(steps.actions)?;
        let logits = steps.logits.map(|logits| device.upload(logits)).transpose()?;
        let counts = steps.counts.map(|counts| device.upload(counts)).transpose()?;
        let inputs = PpoInputs {
            steps: steps.actions.len(),
            choices: steps.choices,
            outputs,
            actions: runner.address_of(&actions),
            advantages: &advantages,
            returns: &returns,
            log_probs: &log_probs,
            values: &values,
            logits: logits.as_ref(),
            counts: counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grad, partials) = ppo::ppo(&runner, loss, &inputs)?;
        Ok((grad, PpoSums::of(&device.download(&partials)?)))
    }
}
