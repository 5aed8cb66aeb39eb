//! An LSTM, GRU or RNN on a device: forward and backward over arrays that lie there.

use super::device::{Buffer, CudaReal};
use super::general::General;
use super::kernels::Kernels;
use super::runner::DeviceRunner;
use super::sequence::{Backward, Forward, Sequence, Sizes, check_memory};
use crate::energy::EnergyOf;
use crate::gated::{Gated, GatedPlan, passes};
use crate::sequence::{MeasuredSequence, SequenceResults};
use crate::source::gated_source;
use crate::tape::Tape;
use crate::{Error, Extent, Result};

/// A layer whose kernels are compiled for a device.
#[derive(Debug)]
pub struct GatedLayer<T> {
    general: General<T>,
    layer: Gated,
    kernels: Kernels,
}

impl<T: CudaReal> GatedLayer<T> {
    /// Compiles the kernels of that layer, or finds them in the user's cache.
    ///
    /// # Errors
    /// [`Error::Layer`], [`Error::TooLarge`], [`Error::NoCompiler`], [`Error::Compile`], [`Error::NewCompiler`],
    /// [`Error::Device`].
    pub fn new(general: &General<T>, layer: Gated) -> Result<Self> {
        layer.check()?;
        let device = general.device();
        let plan = GatedPlan::new(&layer, Extent { steps: 1, batch: 1 }, size_of::<T>(), device.shared())?;
        let names = [
            "gated_layout_forward",
            "gated_layout_backward",
            "gated_forward",
            "gated_measured",
            "gated_mazes",
            "gated_foreseen",
            "gated_games",
            "gated_backward",
        ];
        let kernels = Kernels::new(device, &gated_source::<T>(&layer, &plan), plan.threads, &names)?;
        Ok(Self { general: general.clone(), layer, kernels })
    }

    /// The layer.
    pub fn layer(&self) -> &Gated {
        &self.layer
    }

    pub(super) fn plan(&self, extent: Extent) -> Result<GatedPlan> {
        // What the kernels were compiled for does not depend on the extent.
        GatedPlan::new(&self.layer, extent, size_of::<T>(), self.general.device().shared())
    }

    /// Runs its kernels.
    pub(super) fn runner(&self) -> DeviceRunner<'_> {
        self.general.runner(Some(&self.kernels))
    }

    fn sizes(&self) -> Sizes {
        let layer = &self.layer;
        Sizes { parameters: layer.parameters(), input: layer.input, hidden: layer.hidden, state: layer.state_len() }
    }

    /// Refuses a forward pass, or one with the backward pass that follows, for which the memory does not suffice;
    /// `more` elements are needed beside.
    fn check_memory(&self, sequence: &Sequence<'_, T>, plan: &GatedPlan, both: bool, more: usize) -> Result<()> {
        // A step needs little, and asking costs as much as it does.
        if sequence.extent.steps == 1 && !both {
            return Ok(());
        }
        let (layer, device, size) = (&self.layer, self.general.device(), size_of::<T>());
        let needed = plan.bytes(layer, sequence.extent, size, both) + more * size;
        let fitting = |free| GatedPlan::fitting(layer, sequence.extent, size, device.shared(), free);
        check_memory(device, needed, sequence, fitting)
    }

    /// A sequence forward. With `tape`, [`GatedLayer::backward`] can follow. Returns before the work is done;
    /// [`Device::download`](super::Device::download) waits for it.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Memory`], [`Error::Device`].
    pub fn forward(&self, sequence: Sequence<'_, T>, tape: bool) -> Result<Forward<T>> {
        sequence.check(self.sizes())?;
        let plan = self.plan(sequence.extent)?;
        self.check_memory(&sequence, &plan, tape, 0)?;
        let runner = self.runner();
        let results = passes::forward(&runner, &self.layer, &plan, &sequence.inputs(&runner), tape)?;
        let SequenceResults { hidden, end, tape } = results;
        Ok(Forward { hidden, end, tape: tape.map(Tape::Gated) })
    }

    /// A sequence forward without tape, and the energy `[samples, B', H]` of every unit where `energy` says. Returns
    /// before the work is done.
    ///
    /// # Errors
    /// As [`GatedLayer::forward`]; [`Error::Energy`] for steps or environments that there are not.
    pub fn forward_measured(
        &self,
        sequence: Sequence<'_, T>,
        energy: &EnergyOf<'_, T>,
    ) -> Result<(Forward<T>, Buffer<T>)> {
        let (steps, batch) = (sequence.extent.steps, sequence.extent.batch);
        sequence.check(self.sizes())?;
        energy.check_sequence(self.layer.input, steps, batch)?;
        let plan = self.plan(sequence.extent)?;
        self.check_memory(&sequence, &plan, false, energy.len(steps, self.layer.hidden))?;
        let runner = self.runner();
        let mask = energy.mask.map(|mask| runner.device.upload(mask)).transpose()?;
        let of = (energy, mask.as_ref().map_or(0, |mask| runner.address_of(mask)));
        let results = passes::forward_measured(&runner, &self.layer, &plan, &sequence.inputs(&runner), of)?;
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
        let Some(Tape::Gated(tape)) = &forward.tape else {
            return Err(Error::Length { what: "tape", expected: forward.hidden.len(), got: 0 });
        };
        let plan = self.plan(sequence.extent)?;
        let runner = self.runner();
        let inputs = sequence.inputs(&runner);
        Ok(passes::backward(&runner, &self.layer, &plan, &inputs, (&forward.hidden, tape), gradients)?.into())
    }
}
