//! The launches of a sequence of a layer with fast weights.

use crate::energy::{EnergyOf, EnergyOperands};
use crate::layer::Layer;
use crate::plan::Plan;
use crate::runner::{Launch, Plain, Runner, Unit, int, long, reduce};
use crate::sequence::{MeasuredSequence, SequenceGradients, SequenceInputs, SequenceResults};
use crate::source::kernel_name;
use crate::{Extent, Real, Result};

/// What the backward pass needs of the forward pass, beside its results.
#[derive(Debug)]
pub(crate) struct PlasticTape<A> {
    pub records: A,
    pub checkpoints: A,
}

/// `Operands` of `kernels/operands.cuh`, field by field; addresses on the device, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Operands {
    steps: i32,
    batch: i32,
    every: i32,
    slots_in_shared: i32,
    group: i32,
    parameters: u64,
    x: u64,
    resets: u64,
    start: u64,
    end: u64,
    hidden: u64,
    records: u64,
    checkpoints: u64,
    grad_hidden: u64,
    grad_state: u64,
    grad_x: u64,
    partials: u64,
    scratch: u64,
    scratch_len: i64,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for Operands {}

impl Operands {
    fn new(layer: &Layer, plan: &Plan, extent: Extent, backward: bool) -> Self {
        Self {
            steps: int(extent.steps),
            batch: int(extent.batch),
            every: int(plan.every),
            slots_in_shared: i32::from(plan.slots_in_shared),
            group: int(plan.group),
            scratch_len: long(plan.scratch_len(layer, backward)),
            ..Self::default()
        }
    }

    fn launch<T: Real, R: Runner<T>>(
        &self,
        runner: &R,
        layer: &Layer,
        plan: &Plan,
        blocks: usize,
        backward: bool,
    ) -> Result<()> {
        let shared = plan.shared_len(layer, backward) * size_of::<T>();
        runner.launch(Launch { unit: Unit::Layer, kernel: kernel_name(layer, backward), blocks, shared }, self)
    }
}

/// `SynapseMeasured` of `kernels/synapse_measured_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SynapseMeasured {
    sequence: Operands,
    energy: EnergyOperands,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for SynapseMeasured {}

/// What a launch over a sequence forward needs.
#[derive(Debug)]
pub(crate) struct Prepared<A> {
    pub operands: Operands,
    pub tape: Option<PlasticTape<A>>,
    /// Memory that the kernel works in.
    _scratch: A,
}

/// Operands of a sequence forward whose final states go to `end`, and activities `[T, B, H]` to `hidden` if it is
/// given; with `tape`, arrays for one.
pub(crate) fn prepare<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Layer,
    plan: &Plan,
    inputs: &SequenceInputs<'_, R::Array>,
    end: &R::Array,
    hidden: Option<&R::Array>,
    tape: bool,
) -> Result<Prepared<R::Array>> {
    let extent = inputs.extent;
    let scratch = runner.reserve(extent.batch * plan.scratch_len(layer, false))?;
    let reserve = |len: usize| tape.then(|| runner.reserve(len)).transpose();
    let records = reserve(plan.records_len(layer, extent))?;
    let checkpoints = reserve(plan.checkpoints_len(layer, extent))?;
    let address = |array: Option<&R::Array>| array.map_or(0, |array| runner.address(array));
    let operands = Operands {
        parameters: runner.address(inputs.parameters),
        x: runner.address(inputs.x),
        resets: inputs.resets,
        start: runner.address(inputs.start),
        end: runner.address(end),
        hidden: address(hidden),
        records: address(records.as_ref()),
        checkpoints: address(checkpoints.as_ref()),
        scratch: runner.address(&scratch),
        ..Operands::new(layer, plan, extent, false)
    };
    let tape = records.zip(checkpoints).map(|(records, checkpoints)| PlasticTape { records, checkpoints });
    Ok(Prepared { operands, tape, _scratch: scratch })
}

/// A sequence forward; with `tape`, [`backward`] can follow.
pub(crate) fn forward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Layer,
    plan: &Plan,
    inputs: &SequenceInputs<'_, R::Array>,
    tape: bool,
) -> Result<SequenceResults<R::Array, PlasticTape<R::Array>>> {
    let extent = inputs.extent;
    let end = runner.reserve(extent.batch * layer.state_len())?;
    let hidden = runner.reserve(extent.steps * extent.batch * layer.hidden())?;
    let prepared = prepare(runner, layer, plan, inputs, &end, Some(&hidden), tape)?;
    prepared.operands.launch(runner, layer, plan, plan.blocks(extent.batch, false), false)?;
    Ok(SequenceResults { hidden, end, tape: prepared.tape })
}

/// The same without a tape, and the energy `[samples, B', H]` of what was checked; with the address of its mask.
pub(crate) fn forward_measured<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Layer,
    plan: &Plan,
    inputs: &SequenceInputs<'_, R::Array>,
    (energy, mask): (&EnergyOf<'_, T>, u64),
) -> Result<MeasuredSequence<R::Array>> {
    let (extent, size) = (inputs.extent, layer.hidden());
    let end = runner.reserve(extent.batch * layer.state_len())?;
    let hidden = runner.reserve(extent.steps * extent.batch * size)?;
    let measured = runner.reserve(energy.len(extent.steps, size))?;
    let prepared = prepare(runner, layer, plan, inputs, &end, Some(&hidden), false)?;
    let operands = SynapseMeasured {
        sequence: prepared.operands,
        energy: EnergyOperands::new(energy, mask, runner.address(&measured)),
    };
    let shared = plan.shared_len(layer, false) * size_of::<T>();
    let blocks = plan.blocks(extent.batch, false);
    runner.launch(Launch { unit: Unit::Layer, kernel: layer.measured_kernel(), blocks, shared }, &operands)?;
    Ok(MeasuredSequence { hidden, end, energy: measured })
}

/// The exact backward pass, from the gradients of the activities `[T, B, H]` and of the final state `[B, S]`.
pub(crate) fn backward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Layer,
    plan: &Plan,
    inputs: &SequenceInputs<'_, R::Array>,
    (hidden, tape): (&R::Array, &PlasticTape<R::Array>),
    [grad_hidden, grad_end]: [&R::Array; 2],
) -> Result<SequenceGradients<R::Array>> {
    let extent = inputs.extent;
    let blocks = plan.blocks(extent.batch, true);
    let state = runner.copy(grad_end)?;
    let x = runner.reserve(extent.steps * extent.batch * layer.input())?;
    let partials = runner.reserve(blocks * layer.parameters())?;
    let scratch = runner.reserve(blocks * plan.scratch_len(layer, true))?;
    let operands = Operands {
        parameters: runner.address(inputs.parameters),
        x: runner.address(inputs.x),
        resets: inputs.resets,
        start: runner.address(inputs.start),
        hidden: runner.address(hidden),
        records: runner.address(&tape.records),
        checkpoints: runner.address(&tape.checkpoints),
        grad_hidden: runner.address(grad_hidden),
        grad_state: runner.address(&state),
        grad_x: runner.address(&x),
        partials: runner.address(&partials),
        scratch: runner.address(&scratch),
        ..Operands::new(layer, plan, extent, true)
    };
    operands.launch(runner, layer, plan, blocks, true)?;
    let parameters = reduce(runner, Unit::Layer, partials, blocks, layer.parameters())?;
    Ok(SequenceGradients { x, state, parameters })
}
