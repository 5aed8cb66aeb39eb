//! Advantages on a device, from values that lie there.

use super::device::{Buffer, CudaReal};
use super::gather::Columns;
use super::general::General;
use crate::advantage::{self, AdvantageInputs, AdvantageSteps};
use crate::lengths::{expect, expect_all};
use crate::product::Place;
use crate::{Error, Extent, Result};

/// Advantages and returns on a device, `[T, B]`.
#[derive(Debug)]
pub struct Advantages<T> {
    /// Of the actions.
    pub advantages: Buffer<T>,
    /// Targets of the values: advantage + value.
    pub returns: Buffer<T>,
}

impl<T: CudaReal> Advantages<T> {
    /// Those of T steps of B environments as training sequences of `length` steps L: `[L, S·B]`, the S = ⌈T / L⌉
    /// sequences of an environment one segment after another, each of all environments. What lies behind the last step
    /// of a shorter segment is no advantage of a step there. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Loss`](crate::Error::Loss) for sequences without steps, [`Error::Length`](crate::Error::Length) for
    /// another extent, [`Error::Device`](crate::Error::Device).
    pub fn into_sequences(self, general: &General<T>, extent: Extent, length: usize) -> Result<Self> {
        let Extent { steps, batch } = extent;
        if length == 0 {
            return Err(Error::Loss { problem: "a training sequence has at least one step".to_string() });
        }
        expect_all(&[("advantages", self.advantages.len()), ("returns", self.returns.len())], steps * batch)?;
        if length >= steps {
            return Ok(self);
        }
        // The rows of all steps are the columns here. Fewer than 2³²: memory ends before.
        let row = |t: usize| t.min(steps - 1) as u32;
        let segments = steps.div_ceil(length);
        let rows: Vec<u32> = (0..length).flat_map(|t| (0..segments).map(move |s| row(s * length + t))).collect();
        let rows = general.columns(&rows, steps)?;
        let gather = |from: &Buffer<T>| general.gather(from, [1, batch], &rows);
        Ok(Self { advantages: gather(&self.advantages)?, returns: gather(&self.returns)? })
    }

    /// The first `steps` steps of some of the columns. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) for more steps than there are, [`Error::Device`](crate::Error::Device).
    pub fn part(&self, general: &General<T>, steps: usize, columns: &Columns) -> Result<Self> {
        let gather = |from: &Buffer<T>| general.gather(from, [steps, 1], columns);
        Ok(Self { advantages: gather(&self.advantages)?, returns: gather(&self.returns)? })
    }
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
