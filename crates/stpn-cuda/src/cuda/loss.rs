//! Losses on a device, from the outputs of heads that lie there.

use super::advantage::Advantages;
use super::device::{Buffer, CudaReal, Device};
use super::general::General;
use super::runner::DeviceRunner;
use crate::distribution::{Actions, Distribution};
use crate::loss::{self, A2cLoss, A2cSteps, A2cSums, LossInputs};
use crate::policy::{OutputGradients, Outputs, PolicyInputs};
use crate::{Extent, Result};

/// Actions of steps on a device.
#[derive(Debug)]
pub(super) enum PlacedActions<T> {
    Choices(Buffer<u32>),
    Draws(Buffer<T>),
}

impl<T: CudaReal> PlacedActions<T> {
    /// Brings them there.
    pub fn new(device: &Device, actions: Actions<'_, T>) -> Result<Self> {
        Ok(match actions {
            Actions::Choices(choices) => Self::Choices(device.upload(choices)?),
            Actions::Draws(draws) => Self::Draws(device.upload(draws)?),
        })
    }
}

/// A family of distributions on a device; nothing has no memory.
#[derive(Debug)]
pub(super) struct PlacedDistribution {
    choices: Option<Buffer<i32>>,
    log_halves: Option<Buffer<f64>>,
}

impl PlacedDistribution {
    /// Brings it there.
    pub fn new(device: &Device, distribution: &Distribution) -> Result<Self> {
        let (choices, log_halves) = (distribution.choices(), distribution.log_halves());
        Ok(Self {
            choices: (!choices.is_empty()).then(|| device.upload(&choices)).transpose()?,
            log_halves: (!log_halves.is_empty()).then(|| device.upload(log_halves)).transpose()?,
        })
    }

    /// What a loss reads of a policy, of which this is the `distribution`.
    pub fn inputs<'a, T: CudaReal>(
        &self,
        runner: &DeviceRunner<'_>,
        (distribution, actions): (&'a Distribution, &PlacedActions<T>),
        outputs: Outputs<'a, Buffer<T>>,
    ) -> PolicyInputs<'a, Buffer<T>> {
        let (choices, draws) = match actions {
            PlacedActions::Choices(choices) => (runner.address_of(choices), 0),
            PlacedActions::Draws(draws) => (0, runner.address_of(draws)),
        };
        PolicyInputs {
            distribution,
            outputs,
            choices: self.choices.as_ref().map_or(0, |choices| runner.address_of(choices)),
            log_halves: self.log_halves.as_ref().map_or(0, |log_halves| runner.address_of(log_halves)),
            actions: choices,
            draws,
        }
    }
}

impl<T: CudaReal> General<T> {
    /// The gradient of A2C's loss in the outputs of heads over steps with `advantages`, in the order of these, and the
    /// sums of the loss. Steps that do not count have zeros. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) for
    /// actions that there are not, [`Error::Device`](crate::Error::Device).
    pub fn a2c_loss(
        &self,
        loss: &A2cLoss,
        outputs: Outputs<'_, Buffer<T>>,
        steps: &A2cSteps<'_, T>,
        Advantages { advantages, returns }: &Advantages<T>,
    ) -> Result<(OutputGradients<Buffer<T>>, A2cSums)> {
        let count = steps.check(&outputs, [advantages, returns], Buffer::len)?;
        let (device, runner) = (self.device(), self.runner(None));
        let (placed, actions) =
            (PlacedDistribution::new(device, steps.policy)?, PlacedActions::new(device, steps.actions)?);
        let counts = steps.counts.map(|counts| device.upload(counts)).transpose()?;
        let inputs = LossInputs {
            extent: Extent { steps: count, batch: 1 },
            policy: placed.inputs(&runner, (steps.policy, &actions), outputs),
            advantages,
            returns,
            counts: counts.as_ref().map_or(0, |counts| runner.address_of(counts)),
        };
        let (grads, partials) = loss::a2c(&runner, loss, &inputs)?;
        Ok((grads, A2cSums::of(&device.download(&partials)?)))
    }
}
