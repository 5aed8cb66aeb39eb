//! Advantages on a device, from values that lie there.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::advantage::{self, AdvantageInputs, AdvantageSteps};
use crate::lengths::expect;
use crate::product::Place;
use crate::{Extent, Result};

/// Advantages and returns on a device.
#[derive(Debug)]
pub struct Advantages<T> {
    /// `[T, B]`
    pub advantages: Buffer<T>,
    /// `[T, B]` targets of the values: advantage + value.
    pub returns: Buffer<T>,
}

impl<T: CudaReal> General<T> {
    /// Generalised advantages of steps with `values` `[T, B]`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for arrays that do not fit, [`Error::Loss`](crate::Error::Loss) without
    /// steps, [`Error::Device`](crate::Error::Device).
    pub fn advantages(
        &self,
        extent: Extent,
        values: &Buffer<T>,
        steps: &AdvantageSteps<'_, T>,
    ) -> Result<Advantages<T>> {
        steps.check(extent)?;
        expect("values", values.len(), extent.steps * extent.batch)?;
        self.advantages_of(extent, (values, advantage::time_major(extent)), steps)
    }

    /// The same of checked steps, with values that lie anywhere.
    pub(super) fn advantages_of(
        &self,
        extent: Extent,
        values: (&Buffer<T>, Place),
        steps: &AdvantageSteps<'_, T>,
    ) -> Result<Advantages<T>> {
        let (device, runner) = (self.device(), self.runner(None));
        let (rewards, last_values) = (device.upload(steps.rewards)?, device.upload(steps.last_values)?);
        let (terminated, truncated) = (device.upload(steps.terminated)?, device.upload(steps.truncated)?);
        let final_values = device.upload(steps.final_values)?;
        let inputs = AdvantageInputs {
            extent,
            discounts: [steps.gamma, steps.lambda],
            rewards: &rewards,
            values,
            last_values: &last_values,
            ends: [runner.address_of(&terminated), runner.address_of(&truncated)],
            final_values: &final_values,
        };
        let [advantages, returns] = advantage::generalized(&runner, &inputs)?;
        Ok(Advantages { advantages, returns })
    }
}
