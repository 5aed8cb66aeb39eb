//! Rollouts in mazes on a device.

use super::advantage::Advantages;
use super::device::{Buffer, CudaReal};
use super::general::General;
use super::runner::DeviceRunner;
use super::sequence::{Forward, Sequence, expect};
use super::sequence_layer::SequenceLayer;
use crate::advantage::{AdvantageSteps, of_outputs};
use crate::distribution::Distribution;
use crate::gated::GatedPlan;
use crate::loss::{self, A2cLoss, A2cSums, LossInputs};
use crate::maze::{self, ACTIONS, Length, MazeRollout, OUTPUTS, Planned, Played};
use crate::plan::Plan;
use crate::policy::{Outputs, PolicyInputs};
use crate::sequence::SequenceInputs;
use crate::{Error, Extent, Result};

impl<T> Length for Buffer<T> {
    fn length(&self) -> usize {
        self.len()
    }
}

/// What is left of a rollout on the device, for a gradient from its own steps.
#[derive(Debug)]
pub struct KeptRollout<T> {
    extent: Extent,
    x: Buffer<T>,
    starts: Buffer<u8>,
    start: Buffer<T>,
    forward: Forward<T>,
    outputs: Buffer<T>,
    actions: Buffer<u32>,
}

impl<T: CudaReal> KeptRollout<T> {
    /// T and B.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// The operands of its forward pass, under the parameters that collected it.
    pub fn sequence<'s>(&'s self, parameters: &'s Buffer<T>) -> Sequence<'s, T> {
        let Self { extent, x, starts, start, .. } = self;
        Sequence { extent: *extent, parameters, x, resets: Some(starts), start }
    }

    /// The forward pass, with what the backward pass needs.
    pub fn forward(&self) -> &Forward<T> {
        &self.forward
    }

    /// Outputs of the heads, `[B, T, 5]`.
    pub fn outputs(&self) -> &Buffer<T> {
        &self.outputs
    }

    /// Advantages and returns of its steps, with the values that its heads gave. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn advantages(&self, general: &General<T>, steps: &AdvantageSteps<'_, T>) -> Result<Advantages<T>> {
        steps.check(self.extent)?;
        general.advantages_of(self.extent, (&self.outputs, of_outputs(self.extent, OUTPUTS)), steps)
    }

    /// The gradient of the outputs of the heads, `[T, B, 5]`, and the sums of the loss, with `advantages` and `returns`
    /// `[T, B]`. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn a2c_loss(
        &self,
        general: &General<T>,
        loss: &A2cLoss,
        advantages: &Buffer<T>,
        returns: &Buffer<T>,
    ) -> Result<(Buffer<T>, A2cSums)> {
        let (device, units) = (general.device(), self.extent.steps * self.extent.batch);
        expect("advantages", advantages.len(), units)?;
        expect("returns", returns.len(), units)?;
        let (runner, distribution) = (general.runner(None), Distribution::choice(ACTIONS));
        let choices = device.upload(&distribution.choices())?;
        let policy = PolicyInputs {
            distribution: &distribution,
            outputs: Outputs { policy: &self.outputs, values: None, free: None },
            choices: runner.address_of(&choices),
            log_halves: 0,
            actions: runner.address_of(&self.actions),
            draws: 0,
        };
        let inputs = LossInputs { extent: self.extent, policy, advantages, returns, counts: 0 };
        let (grads, partials) = loss::a2c(&runner, loss, &inputs)?;
        Ok((grads.policy, A2cSums::of(&device.download(&partials)?)))
    }
}

impl<T: CudaReal> SequenceLayer<T> {
    /// Whether a block that plays mazes fits into the shared memory of the device.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn check_maze_rollouts(&self) -> Result<()> {
        let limit = self.device().shared();
        let check = |planned: Planned<'_>| {
            let needed = planned.shared_len() * size_of::<T>();
            if needed <= limit { Ok(()) } else { Err(Error::TooLarge { needed, limit }) }
        };
        // It does not depend on the extent.
        let extent = Extent { steps: 1, batch: 1 };
        match self {
            Self::Plastic(layer) => check(Planned::Plastic(layer.layer(), &layer.plan(extent)?)),
            Self::Gated(layer) => check(Planned::Gated(layer.layer(), &layer.plan(extent)?)),
        }
    }

    /// Plays a rollout in one launch, and waits for it. What is needed for a gradient from these steps, without another
    /// forward pass, is left on the device if it is to be kept.
    ///
    /// # Errors
    /// [`Error::Rollout`] for a maze that is not sound, [`Error::Length`] for arrays that do not fit,
    /// [`Error::TooLarge`], [`Error::Memory`], [`Error::Device`].
    pub fn maze_rollout(
        &self,
        rollout: &MazeRollout<'_, T, Buffer<T>>,
        keep: bool,
    ) -> Result<(Played<T>, Option<KeptRollout<T>>)> {
        rollout.check(&self.any())?;
        self.check_maze_rollouts()?;
        let (extent, size, shared) = (rollout.extent, size_of::<T>(), self.device().shared());
        let free = self.device().free()?;
        let check = |needed: usize, fits: &dyn Fn() -> usize| {
            if needed <= free { Ok(()) } else { Err(Error::Memory { needed, free, fits: fits(), batch: extent.batch }) }
        };
        match self {
            Self::Plastic(layer) => {
                let (plan, layer, runner) = (layer.plan(extent)?, layer.layer(), layer.runner());
                let fits = || Plan::fitting(layer, extent, size, shared, free);
                check(plan.bytes(layer, extent, size, keep), &fits)?;
                play(&runner, Planned::Plastic(layer, &plan), rollout, keep)
            }
            Self::Gated(layer) => {
                let (plan, layer, runner) = (layer.plan(extent)?, layer.layer(), layer.runner());
                let fits = || GatedPlan::fitting(layer, extent, size, shared, free);
                check(plan.bytes(layer, extent, size, keep), &fits)?;
                play(&runner, Planned::Gated(layer, &plan), rollout, keep)
            }
        }
    }
}

/// Brings what a rollout needs to the device, plays it, and brings back what it gives.
fn play<T: CudaReal>(
    runner: &DeviceRunner<'_>,
    planned: Planned<'_>,
    rollout: &MazeRollout<'_, T, Buffer<T>>,
    keep: bool,
) -> Result<(Played<T>, Option<KeptRollout<T>>)> {
    let (device, extent, rules) = (runner.device, rollout.extent, rollout.rules);
    let [.., state_len] = planned.sizes();
    // The rows of later steps are written there.
    let all = keep || rollout.watched;
    let rows = if all { extent.steps } else { 1 };
    let mut x = device.reserve(rows * rollout.x.len())?;
    device.upload_into(rollout.x, &mut x)?;
    let mut starts = device.reserve(rows * extent.batch)?;
    device.upload_into(rollout.starts, &mut starts)?;
    let start = match rollout.is_fresh() {
        true => device.reserve(extent.batch * state_len)?,
        false => device.upload(rollout.state)?,
    };
    let (uniform, draws) = (device.upload(rollout.uniform)?, device.upload(rollout.draws)?);
    let (walls, free_cells) = (device.upload(&rules.walls)?, device.upload(&rules.free_cells)?);
    let mazes = device.upload(&rollout.raw_mazes())?;
    let mask = rollout.energy.and_then(|energy| energy.mask).map(|mask| device.upload(mask)).transpose()?;
    let actions = device.reserve::<u32>(rollout.uniform.len())?;
    let addresses = maze::Addresses {
        heads: runner.address_of(rollout.heads),
        uniform: runner.address_of(&uniform),
        draws: runner.address_of(&draws),
        walls: runner.address_of(&walls),
        free_cells: runner.address_of(&free_cells),
        mazes: runner.address_of(&mazes),
        energy_mask: mask.as_ref().map_or(0, |mask| runner.address_of(mask)),
        actions: runner.address_of(&actions),
        started: if all { runner.address_of(&starts) } else { 0 },
        keep,
    };
    let resets = runner.address_of(&starts);
    let inputs = SequenceInputs { extent, parameters: rollout.parameters, x: &x, resets, start: &start };
    let arrays = maze::play(runner, planned, rollout, &inputs, addresses)?;
    let energy = arrays.energy.as_ref().map_or(Ok(Vec::new()), |energy| device.download(energy))?;
    let played = Played {
        actions: device.download(&actions)?,
        log_probs: device.download(&arrays.log_probs)?,
        rewards: device.download(&arrays.rewards)?,
        outputs: device.download(&arrays.outputs)?,
        observed: if rollout.watched { device.download(&x)? } else { Vec::new() },
        next: device.download(&arrays.next)?,
        state: device.download(&arrays.state)?,
        energy,
    };
    let (outputs, end) = (arrays.outputs, arrays.state);
    let kept = arrays.kept.map(|kept| KeptRollout {
        extent,
        x,
        starts,
        start,
        forward: Forward { hidden: kept.hidden, end, tape: Some(kept.tape) },
        outputs,
        actions,
    });
    Ok((played, kept))
}
