//! A layer with fast weights on a device: forward and backward over arrays that lie there.

use std::marker::PhantomData;

use super::device::{Buffer, CudaReal, Device};
use super::kernels::Kernels;
use super::runner::DeviceRunner;
use super::sequence::{Backward, Forward, Sequence, Sizes, Tape, check_memory, expect};
use crate::layer::Layer;
use crate::maze::{self, MazeRollout, Played};
use crate::plan::Plan;
use crate::plastic;
use crate::sequence::{SequenceInputs, SequenceResults};
use crate::source::{kernel_name, source};
use crate::{Error, Extent, Result};

/// A layer whose kernels are compiled for a device.
#[derive(Debug)]
pub struct PlasticLayer<T> {
    device: Device,
    layer: Layer,
    kernels: Kernels,
    element: PhantomData<T>,
}

impl<T: CudaReal> PlasticLayer<T> {
    /// Compiles the kernels of that layer, or finds them in the user's cache.
    ///
    /// # Errors
    /// [`Error::Layer`], [`Error::TooLarge`], [`Error::NoCompiler`], [`Error::Compile`], [`Error::NewCompiler`],
    /// [`Error::Device`].
    pub fn new(device: &Device, layer: Layer) -> Result<Self> {
        layer.check()?;
        // Refuses what is too large before anything is compiled.
        let threads = Plan::new(&layer, Extent { steps: 1, batch: 1 }, size_of::<T>(), device.shared())?.threads;
        let mut names = vec![kernel_name(&layer, false), kernel_name(&layer, true), "sum_rows"];
        if matches!(layer, Layer::Plastic(_)) {
            names.push(maze::KERNEL);
        }
        let kernels = Kernels::new(device, &source::<T>(&layer, &threads), threads.count, &names)?;
        Ok(Self { device: device.clone(), layer, kernels, element: PhantomData })
    }

    /// The layer.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    fn plan(&self, extent: Extent) -> Result<Plan> {
        // Its division of threads, for which the kernels were compiled, does not depend on the extent.
        Plan::new(&self.layer, extent, size_of::<T>(), self.device.shared())
    }

    fn sizes(&self) -> Sizes {
        let layer = &self.layer;
        Sizes { parameters: layer.parameters(), input: layer.input(), hidden: layer.hidden(), state: layer.state_len() }
    }

    fn runner(&self) -> DeviceRunner<'_> {
        DeviceRunner { device: &self.device, layer: Some(&self.kernels), general: None }
    }

    /// Refuses a forward pass, or one with the backward pass that follows, for which the memory does not suffice.
    fn check_memory(&self, sequence: &Sequence<'_, T>, plan: &Plan, both: bool) -> Result<()> {
        let (layer, size, shared) = (&self.layer, size_of::<T>(), self.device.shared());
        let needed = plan.bytes(layer, sequence.extent, size, both);
        let fitting = |free| Plan::fitting(layer, sequence.extent, size, shared, free);
        check_memory(&self.device, needed, sequence, fitting)
    }

    /// A sequence forward. With `tape`, [`PlasticLayer::backward`] can follow. Returns before the work is done;
    /// [`Device::download`] waits for it.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Memory`], [`Error::Device`].
    pub fn forward(&self, sequence: Sequence<'_, T>, tape: bool) -> Result<Forward<T>> {
        sequence.check(self.sizes())?;
        let plan = self.plan(sequence.extent)?;
        self.check_memory(&sequence, &plan, tape)?;
        let runner = self.runner();
        let results = plastic::forward(&runner, &self.layer, &plan, &sequence.inputs(&runner), tape)?;
        let SequenceResults { hidden, end, tape } = results;
        Ok(Forward { hidden, end, tape: tape.map(Tape::Plastic) })
    }

    /// Plays a rollout in mazes, in one launch, and waits for it.
    ///
    /// # Errors
    /// [`Error::Layer`] for a layer of another family or a maze that is not sound, [`Error::Length`] for arrays that do
    /// not fit, [`Error::TooLarge`], [`Error::Device`].
    pub fn maze_rollout(&self, rollout: &MazeRollout<'_, T>) -> Result<Played<T>> {
        let Layer::Plastic(plastic) = &self.layer else {
            return Err(Error::Layer { problem: "only the STPN family has rollouts on a device".to_string() });
        };
        rollout.check(plastic, self.layer.state_len(), self.layer.parameters())?;
        let plan = self.plan(rollout.extent)?;
        let (needed, limit) = (maze::shared_len(&self.layer, &plan) * size_of::<T>(), self.device.shared());
        if needed > limit {
            return Err(Error::TooLarge { needed, limit });
        }
        let (device, rules) = (&self.device, rollout.rules);
        let [parameters, heads, x] =
            [device.upload(rollout.parameters)?, device.upload(rollout.heads)?, device.upload(rollout.x)?];
        // Where an episode starts, nothing is read of a state.
        let fresh = rollout.starts.iter().all(|&start| start != 0);
        let start = if fresh { device.reserve(rollout.state.len())? } else { device.upload(rollout.state)? };
        let (starts, uniform, draws) =
            (device.upload(rollout.starts)?, device.upload(rollout.uniform)?, device.upload(rollout.draws)?);
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
        };
        let inputs = SequenceInputs {
            extent: rollout.extent,
            parameters: &parameters,
            x: &x,
            resets: runner.address_of(&starts),
            start: &start,
        };
        let arrays = maze::play(&runner, &self.layer, &plan, rollout, &inputs, addresses)?;
        Ok(Played {
            actions: device.download(&actions)?,
            log_probs: device.download(&arrays.log_probs)?,
            rewards: device.download(&arrays.rewards)?,
            outputs: device.download(&arrays.outputs)?,
            next: device.download(&arrays.next)?,
            state: device.download(&arrays.state)?,
            energy: arrays.energy.as_ref().map_or(Ok(Vec::new()), |energy| device.download(energy))?,
        })
    }

    /// The exact backward pass of that forward pass, from the gradients of the activities `[T, B, H]` and of the final
    /// state `[B, S]`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit or a forward pass without tape, [`Error::Device`].
    pub fn backward(
        &self,
        sequence: Sequence<'_, T>,
        forward: &Forward<T>,
        grad_hidden: &Buffer<T>,
        grad_end: &Buffer<T>,
    ) -> Result<Backward<T>> {
        let gradients = [grad_hidden, grad_end];
        sequence.check_backward(self.sizes(), forward, gradients)?;
        let extent = sequence.extent;
        let plan = self.plan(extent)?;
        let checkpoints = plan.checkpoints_len(&self.layer, extent);
        let Some(Tape::Plastic(tape)) = &forward.tape else {
            return Err(Error::Length { what: "tape", expected: checkpoints, got: 0 });
        };
        expect("tape", tape.checkpoints.len(), checkpoints)?;
        let runner = self.runner();
        let inputs = sequence.inputs(&runner);
        Ok(plastic::backward(&runner, &self.layer, &plan, &inputs, (&forward.hidden, tape), gradients)?.into())
    }
}
