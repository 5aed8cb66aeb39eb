//! A layer with fast weights on a device: forward and backward over arrays that lie there.

use std::marker::PhantomData;

use super::device::{Buffer, CudaReal, Device};
use super::kernels::Kernels;
use super::runner::DeviceRunner;
use super::sequence::{Backward, Forward, Sequence, Sizes, check_memory};
use crate::energy::EnergyOf;
use crate::layer::Layer;
use crate::lengths::expect;
use crate::plan::Plan;
use crate::plastic;
use crate::sequence::{MeasuredSequence, SequenceResults};
use crate::source::{kernel_name, source};
use crate::tape::Tape;
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
        let (forward, backward) = (kernel_name(&layer, false), kernel_name(&layer, true));
        let played = [layer.maze_kernel(), layer.foreseen_kernel(), layer.game_kernel()];
        let names = [&[forward, backward, layer.measured_kernel(), "sum_rows"], &played[..]].concat();
        let kernels = Kernels::new(device, &source::<T>(&layer, &threads), threads.count, &names)?;
        Ok(Self { device: device.clone(), layer, kernels, element: PhantomData })
    }

    /// The layer.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    pub(super) fn plan(&self, extent: Extent) -> Result<Plan> {
        // Its division of threads, for which the kernels were compiled, does not depend on the extent.
        Plan::new(&self.layer, extent, size_of::<T>(), self.device.shared())
    }

    fn sizes(&self) -> Sizes {
        let layer = &self.layer;
        Sizes { parameters: layer.parameters(), input: layer.input(), hidden: layer.hidden(), state: layer.state_len() }
    }

    pub(super) fn runner(&self) -> DeviceRunner<'_> {
        DeviceRunner { device: &self.device, layer: Some(&self.kernels), general: None }
    }

    /// Refuses a forward pass, or one with the backward pass that follows, for which the memory does not suffice;
    /// `more` elements are needed beside.
    fn check_memory(&self, sequence: &Sequence<'_, T>, plan: &Plan, both: bool, more: usize) -> Result<()> {
        // A step needs little, and asking costs as much as it does.
        if sequence.extent.steps == 1 && !both {
            return Ok(());
        }
        let (layer, size, shared) = (&self.layer, size_of::<T>(), self.device.shared());
        let needed = plan.bytes(layer, sequence.extent, size, both) + more * size;
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
        self.check_memory(&sequence, &plan, tape, 0)?;
        let runner = self.runner();
        let results = plastic::forward(&runner, &self.layer, &plan, &sequence.inputs(&runner), tape)?;
        let SequenceResults { hidden, end, tape } = results;
        Ok(Forward { hidden, end, tape: tape.map(Tape::Plastic) })
    }

    /// A sequence forward without tape, and the energy `[samples, B', H]` of every unit where `energy` says. Returns
    /// before the work is done.
    ///
    /// # Errors
    /// As [`PlasticLayer::forward`]; [`Error::Energy`] for steps or environments that there are not.
    pub fn forward_measured(
        &self,
        sequence: Sequence<'_, T>,
        energy: &EnergyOf<'_, T>,
    ) -> Result<(Forward<T>, Buffer<T>)> {
        let (steps, batch) = (sequence.extent.steps, sequence.extent.batch);
        sequence.check(self.sizes())?;
        energy.check_sequence(self.layer.input(), steps, batch)?;
        let plan = self.plan(sequence.extent)?;
        self.check_memory(&sequence, &plan, false, energy.len(steps, self.layer.hidden()))?;
        let runner = self.runner();
        let mask = energy.mask.map(|mask| runner.device.upload(mask)).transpose()?;
        let of = (energy, mask.as_ref().map_or(0, |mask| runner.address_of(mask)));
        let results = plastic::forward_measured(&runner, &self.layer, &plan, &sequence.inputs(&runner), of)?;
        let MeasuredSequence { hidden, end, energy } = results;
        Ok((Forward { hidden, end, tape: None }, energy))
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
