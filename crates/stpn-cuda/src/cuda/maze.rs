//! Rollouts in mazes on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use super::plastic::PlasticLayer;
use super::sequence::{Forward, Sequence, Tape, expect};
use crate::layer::Layer;
use crate::loss::{self, A2cLoss, A2cSums, LossInputs};
use crate::maze::{self, ACTIONS, MazeRollout, Played};
use crate::plan::Plan;
use crate::sequence::SequenceInputs;
use crate::{Error, Extent, Result};

/// What is left of a rollout on the device, for a gradient from its own steps.
#[derive(Debug)]
pub struct KeptRollout<T> {
    extent: Extent,
    parameters: Buffer<T>,
    heads: Buffer<T>,
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

    /// The operands of its forward pass.
    pub fn sequence(&self) -> Sequence<'_, T> {
        let Self { extent, parameters, x, starts, start, .. } = self;
        Sequence { extent: *extent, parameters, x, resets: Some(starts), start }
    }

    /// The forward pass, with what the backward pass needs.
    pub fn forward(&self) -> &Forward<T> {
        &self.forward
    }

    /// Parameters of the heads.
    pub fn heads(&self) -> &Buffer<T> {
        &self.heads
    }

    /// Outputs of the heads, `[B, T, 5]`.
    pub fn outputs(&self) -> &Buffer<T> {
        &self.outputs
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
        advantages: &[T],
        returns: &[T],
    ) -> Result<(Buffer<T>, A2cSums)> {
        let (device, units) = (general.device(), self.extent.steps * self.extent.batch);
        expect("advantages", advantages.len(), units)?;
        expect("returns", returns.len(), units)?;
        let (advantages, returns) = (device.upload(advantages)?, device.upload(returns)?);
        let runner = general.runner(None);
        let inputs = LossInputs {
            extent: self.extent,
            choices: ACTIONS,
            outputs: &self.outputs,
            actions: runner.address_of(&self.actions),
            advantages: &advantages,
            returns: &returns,
        };
        let (grad, partials) = loss::a2c(&runner, loss, &inputs)?;
        Ok((grad, A2cSums::of(&device.download(&partials)?)))
    }
}

impl<T: CudaReal> PlasticLayer<T> {
    /// Plays a rollout in one launch, and waits for it. What is needed for a gradient from these steps, without another
    /// forward pass, is left on the device if it is to be kept.
    ///
    /// # Errors
    /// [`Error::Layer`] for a layer of another family or a maze that is not sound, [`Error::Length`] for arrays that do
    /// not fit, [`Error::TooLarge`], [`Error::Memory`], [`Error::Device`].
    pub fn maze_rollout(
        &self,
        rollout: &MazeRollout<'_, T>,
        keep: bool,
    ) -> Result<(Played<T>, Option<KeptRollout<T>>)> {
        let (layer, device) = (self.layer(), self.device());
        let Layer::Plastic(plastic) = layer else {
            return Err(Error::Layer { problem: "only the STPN family has rollouts on a device".to_string() });
        };
        rollout.check(plastic, layer.state_len(), layer.parameters())?;
        let (extent, rules) = (rollout.extent, rollout.rules);
        let plan = self.plan(extent)?;
        self.check_room(&plan, extent, keep)?;
        let (parameters, heads) = (device.upload(rollout.parameters)?, device.upload(rollout.heads)?);
        // The first row is here, the others come.
        let rows = if keep { extent.steps } else { 1 };
        let mut x = device.reserve(rows * rollout.x.len())?;
        device.upload_into(rollout.x, &mut x)?;
        let mut starts = device.reserve(rows * extent.batch)?;
        device.upload_into(rollout.starts, &mut starts)?;
        let start = match rollout.is_fresh() {
            true => device.reserve(extent.batch * layer.state_len())?,
            false => device.upload(rollout.state)?,
        };
        let (uniform, draws) = (device.upload(rollout.uniform)?, device.upload(rollout.draws)?);
        let (walls, free_cells) = (device.upload(&rules.walls)?, device.upload(&rules.free_cells)?);
        let mazes = device.upload(&rollout.raw_mazes())?;
        let mask = rollout.energy.and_then(|energy| energy.mask).map(|mask| device.upload(mask)).transpose()?;
        let actions = device.reserve::<u32>(rollout.uniform.len())?;
        let runner = self.runner();
        let addresses = maze::Addresses {
            heads: runner.address_of(&heads),
            uniform: runner.address_of(&uniform),
            draws: runner.address_of(&draws),
            walls: runner.address_of(&walls),
            free_cells: runner.address_of(&free_cells),
            mazes: runner.address_of(&mazes),
            energy_mask: mask.as_ref().map_or(0, |mask| runner.address_of(mask)),
            actions: runner.address_of(&actions),
            started: if keep { runner.address_of(&starts) } else { 0 },
        };
        let resets = runner.address_of(&starts);
        let inputs = SequenceInputs { extent, parameters: &parameters, x: &x, resets, start: &start };
        let arrays = maze::play(&runner, layer, &plan, rollout, &inputs, addresses)?;
        let energy = arrays.energy.as_ref().map_or(Ok(Vec::new()), |energy| device.download(energy))?;
        let played = Played {
            actions: device.download(&actions)?,
            log_probs: device.download(&arrays.log_probs)?,
            rewards: device.download(&arrays.rewards)?,
            outputs: device.download(&arrays.outputs)?,
            next: device.download(&arrays.next)?,
            state: device.download(&arrays.state)?,
            energy,
        };
        let (outputs, end) = (arrays.outputs, arrays.state);
        let kept = arrays.kept.map(|kept| KeptRollout {
            extent,
            parameters,
            heads,
            x,
            starts,
            start,
            forward: Forward { hidden: kept.hidden, end, tape: Some(Tape::Plastic(kept.tape)) },
            outputs,
            actions,
        });
        Ok((played, kept))
    }

    /// Refuses a rollout whose block or whose arrays do not fit.
    fn check_room(&self, plan: &Plan, extent: Extent, keep: bool) -> Result<()> {
        let (layer, device, size) = (self.layer(), self.device(), size_of::<T>());
        let (needed, limit) = (maze::shared_len(layer, plan) * size, device.shared());
        if needed > limit {
            return Err(Error::TooLarge { needed, limit });
        }
        let (needed, free) = (plan.bytes(layer, extent, size, keep), device.free()?);
        if needed > free {
            let fits = Plan::fitting(layer, extent, size, device.shared(), free);
            return Err(Error::Memory { needed, free, fits, batch: extent.batch });
        }
        Ok(())
    }
}
