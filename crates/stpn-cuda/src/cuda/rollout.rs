//! Rollouts on a device.

use super::advantage::Advantages;
use super::device::{Buffer, CudaReal, Device};
use super::general::General;
use super::runner::DeviceRunner;
use super::sequence::{Forward, Sequence};
use super::sequence_layer::SequenceLayer;
use crate::advantage::{AdvantageSteps, of_outputs};
use crate::dense::Dense;
use crate::distribution::Distribution;
use crate::encoder;
use crate::gated::GatedPlan;
use crate::lengths::expect;
use crate::loss::{self, A2cLoss, A2cSums, LossInputs};
use crate::plan::Plan;
use crate::play::{self, Addresses, Planned, WorldAddresses};
use crate::played_sizes;
use crate::policy::{Outputs, PolicyInputs};
use crate::rollout::{Environments, Length, Played, Rollout};
use crate::runner::int;
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
    /// Choices in each list of an action.
    lists: Vec<usize>,
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

    /// Outputs of the heads, `[B, T, A + 1]`.
    pub fn outputs(&self) -> &Buffer<T> {
        &self.outputs
    }

    /// Advantages and returns of its steps, with the values that its heads gave. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn advantages(&self, general: &General<T>, steps: &AdvantageSteps<'_, T>) -> Result<Advantages<T>> {
        steps.check(self.extent)?;
        general.advantages_of(
            self.extent,
            (&self.outputs, of_outputs(self.extent, self.lists.iter().sum::<usize>() + 1)),
            steps,
        )
    }

    /// The gradient of the outputs of the heads, `[T, B, A + 1]`, and the sums of the loss, with advantages and returns
    /// `[T, B]`. Waits for it.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn a2c_loss(
        &self,
        general: &General<T>,
        loss: &A2cLoss,
        Advantages { advantages, returns }: &Advantages<T>,
    ) -> Result<(Buffer<T>, A2cSums)> {
        let (device, units) = (general.device(), self.extent.steps * self.extent.batch);
        expect("advantages", advantages.len(), units)?;
        expect("returns", returns.len(), units)?;
        let (runner, distribution) = (general.runner(None), Distribution::Categorical(self.lists.clone()));
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
    /// Whether a block that plays fits into the shared memory of the device with an encoder, whatever the environments
    /// are.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn check_rollouts(&self, choices: usize, encoder: &[Dense]) -> Result<()> {
        self.check_shared(played_sizes::MAZE + choices + 1 + encoder::shared_len(encoder))
    }

    /// The same if an environment needs so many elements.
    fn check_shared(&self, of_environment: usize) -> Result<()> {
        let limit = self.device().shared();
        let check = |planned: Planned<'_>| {
            let needed = planned.shared_len(of_environment) * size_of::<T>();
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
    /// forward pass, is left on the device if it is to be kept, which is possible without an encoder.
    ///
    /// # Errors
    /// [`Error::Rollout`] for environments that are not sound, [`Error::Length`] for arrays that do not fit,
    /// [`Error::TooLarge`], [`Error::Memory`], [`Error::Device`].
    pub fn rollout(
        &self,
        rollout: &Rollout<'_, T, Buffer<T>>,
        keep: bool,
    ) -> Result<(Played<T>, Option<KeptRollout<T>>)> {
        rollout.check(&self.any())?;
        if keep && !rollout.encoder.is_empty() {
            let problem = "with an encoder, nothing can be kept for a gradient".to_string();
            return Err(Error::Rollout { problem });
        }
        self.check_shared(rollout.shared_len())?;
        let (extent, size, shared) = (rollout.extent, size_of::<T>(), self.device().shared());
        let free = self.device().free()?;
        let check = |needed: usize, fits: &dyn Fn() -> usize| {
            let shown = if rollout.encoder.is_empty() { 0 } else { extent.steps * rollout.x.len() * size };
            let needed = needed + rollout.environments.bytes() + shown;
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
    rollout: &Rollout<'_, T, Buffer<T>>,
    keep: bool,
) -> Result<(Played<T>, Option<KeptRollout<T>>)> {
    let (device, extent) = (runner.device, rollout.extent);
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
    let uniform = device.upload(rollout.uniform)?;
    let among: Vec<i32> = rollout.environments.lists().into_iter().map(int).collect();
    let among = device.upload(&among)?;
    let world = World::new(device, &rollout.environments)?;
    let mask = rollout.energy.and_then(|energy| energy.mask).map(|mask| device.upload(mask)).transpose()?;
    let actions = device.reserve::<u32>(rollout.uniform.len())?;
    let encoder: Vec<u64> = rollout.encoder.iter().map(|layer| runner.address_of(layer.parameters)).collect();
    let addresses = Addresses {
        encoder: &encoder,
        heads: runner.address_of(rollout.heads),
        uniform: runner.address_of(&uniform),
        among: runner.address_of(&among),
        world: world.addresses(runner),
        energy_mask: mask.as_ref().map_or(0, |mask| runner.address_of(mask)),
        actions: runner.address_of(&actions),
        started: if all { runner.address_of(&starts) } else { 0 },
        keep,
    };
    let resets = runner.address_of(&starts);
    let inputs = SequenceInputs { extent, parameters: rollout.parameters, x: &x, resets, start: &start };
    let arrays = play::play(runner, planned, rollout, &inputs, addresses)?;
    let energy = arrays.energy.as_ref().map_or(Ok(Vec::new()), |energy| device.download(energy))?;
    let played = Played {
        actions: device.download(&actions)?,
        log_probs: device.download(&arrays.log_probs)?,
        rewards: arrays.rewards.as_ref().map_or(Ok(Vec::new()), |rewards| device.download(rewards))?,
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
        lists: rollout.environments.lists(),
    });
    Ok((played, kept))
}

/// What belongs to the environments of a rollout, on the device.
enum World<T> {
    Mazes { draws: Buffer<u64>, walls: Buffer<u8>, free_cells: Buffer<i32>, states: Buffer<i32> },
    Foreseen { observations: Buffer<T>, starts: Buffer<u8> },
    Games { shown: Buffer<i32>, dealt: Buffer<i32>, luck: Buffer<i32>, states: Buffer<i32> },
}

impl<T: CudaReal> World<T> {
    /// Brings it there.
    fn new(device: &Device, environments: &Environments<'_, T>) -> Result<Self> {
        Ok(match environments {
            Environments::Mazes(mazes) => Self::Mazes {
                draws: device.upload(mazes.draws)?,
                walls: device.upload(&mazes.rules.walls)?,
                free_cells: device.upload(&mazes.rules.free_cells)?,
                states: device.upload(&mazes.raw_states())?,
            },
            Environments::Foreseen(foreseen) => Self::Foreseen {
                observations: device.upload(foreseen.observations)?,
                starts: device.upload(foreseen.starts)?,
            },
            Environments::Games(games) => Self::Games {
                shown: device.upload(&games.rules.shown())?,
                dealt: device.upload(games.dealt)?,
                luck: device.upload(games.luck_there())?,
                states: device.upload(&games.raw_states())?,
            },
        })
    }

    fn addresses(&self, runner: &DeviceRunner<'_>) -> WorldAddresses {
        match self {
            Self::Mazes { draws, walls, free_cells, states } => WorldAddresses::Mazes {
                draws: runner.address_of(draws),
                walls: runner.address_of(walls),
                free_cells: runner.address_of(free_cells),
                states: runner.address_of(states),
            },
            Self::Foreseen { observations, starts } => WorldAddresses::Foreseen {
                observations: runner.address_of(observations),
                starts: runner.address_of(starts),
            },
            Self::Games { shown, dealt, luck, states } => WorldAddresses::Games {
                shown: runner.address_of(shown),
                dealt: runner.address_of(dealt),
                luck: runner.address_of(luck),
                states: runner.address_of(states),
            },
        }
    }
}
