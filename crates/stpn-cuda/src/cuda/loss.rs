//! Losses on a device, from the outputs of heads that lie there.

use super::device::{Buffer, CudaReal, Device};
use super::general::General;
use super::runner::DeviceRunner;
use crate::distribution::{Actions, Distribution};
use crate::loss::{self, A2cLoss, A2cSteps, A2cSums, LossInputs};
use crate::policy::{OutputGradients, Outputs, PolicyInputs};
use crate::ppo::{self, PpoInputs, PpoLoss, PpoSteps, PpoSums};
use crate::{Extent, Result};

/// What a loss reads of a policy beside its outputs; nothing has no memory.
#[derive(Debug)]
struct Placed<T> {
    choices: Option<Buffer<i32>>,
    log_halves: Option<Buffer<f64>>,
    actions: Option<Buffer<u32>>,
    draws: Option<Buffer<T>>,
}

impl<T: CudaReal> Placed<T> {
    fn new(device: &Device, distribution: &Distribution, actions: Actions<'_, T>) -> Result<Self> {
        let (choices, log_halves) = (distribution.choices(), distribution.log_halves());
        let (actions, draws) = match actions {
            Actions::Choices(choices) => (Some(device.upload(choices)?), None),
            Actions::Draws(draws) => (None, Some(device.upload(draws)?)),
        };
        Ok(Self {
            choices: (!choices.is_empty()).then(|| device.upload(&choices)).transpose()?,
            log_halves: (!log_halves.is_empty()).then(|| device.upload(log_halves)).transpose()?,
            actions,
            draws,
        })
    }

    fn inputs<'a>(
        &self,
        runner: &DeviceRunner<'_>,
        distribution: &'a Distribution,
        outputs: Outputs<'a, Buffer<T>>,
    ) -> PolicyInputs<'a, Buffer<T>> {
        PolicyInputs {
            distribution,
            outputs,
            choices: self.choices.as_ref().map_or(0, |choices| runner.address_of(choices)),
            log_halves: self.log_halves.as_ref().map_or(0, |log_halves| runner.address_of(log_halves)),
            actions: self.actions.as_ref().map_or(0, |actions| runner.address_of(actions)),
            draws: self.draws.as_ref().map_or(0, |draws| runner.address_of(draws)),
        }
    }
}

impl<T: CudaReal> General<T> {
    /// The gradient of A2C's loss in the outputs of heads over steps, in the order of these, and the sums of the loss.
    /// Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, [`Error::Device`](crate::Error::Device).
    pub fn a2c_loss(
        &self,
        loss: &A2cLoss,
        outputs: Outputs<'_, Buffer<T>>,
        steps: &A2cSteps<'_, T>,
    ) -> Result<(OutputGradients<Buffer<T>>, A2cSums)> {
        let count = steps.check(&outputs, Buffer::len)?;
        let (device, runner) = (self.device(), self.runner(None));
        let (advantages, returns) = (device.upload(steps.advantages)?, device.upload(steps.returns)?);
        let placed = Placed::new(device, steps.policy, steps.actions)?;
        let counts = steps.counts.map(|counts| device.upload(counts)).transpose()?;
        let inputs = LossInputs {
            extent: Extent { steps: count, batch: 1 },
            policy: placed.inputs(&runner, steps.policy, outputs),
            advantages: &advantages,
            returns: &returns,
            counts: counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grads, partials) = loss::a2c(&runner, loss, &inputs)?;
        Ok((grads, A2cSums::of(&device.download(&partials)?)))
    }

    /// The gradient of PPO's loss in the outputs of heads over steps, in the order of these, and the sums of the loss.
    /// Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, or for a divergence without coefficient or distributions,
    /// [`Error::Device`](crate::Error::Device).
    pub fn ppo_loss(
        &self,
        loss: &PpoLoss,
        outputs: Outputs<'_, Buffer<T>>,
        steps: &PpoSteps<'_, T>,
    ) -> Result<(OutputGradients<Buffer<T>>, PpoSums)> {
        let count = steps.check(loss, &outputs, Buffer::len)?;
        let (device, runner) = (self.device(), self.runner(None));
        let (advantages, returns) = (device.upload(steps.advantages)?, device.upload(steps.returns)?);
        let (log_probs, values) = (device.upload(steps.log_probs)?, device.upload(steps.values)?);
        let placed = Placed::new(device, steps.policy, steps.actions)?;
        let distributions = steps.distributions.map(|distributions| device.upload(distributions)).transpose()?;
        let counts = steps.counts.map(|counts| device.upload(counts)).transpose()?;
        let inputs = PpoInputs {
            steps: count,
            policy: placed.inputs(&runner, steps.policy, outputs),
            advantages: &advantages,
            returns: &returns,
            log_probs: &log_probs,
            values: &values,
            distributions: distributions.as_ref(),
            counts: counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grads, partials) = ppo::ppo(&runner, loss, &inputs)?;
        Ok((grads, PpoSums::of(&device.download(&partials)?)))
    }
}
