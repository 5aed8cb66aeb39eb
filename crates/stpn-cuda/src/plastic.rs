//! The launches of a sequence of a layer with fast weights.

use crate::layer::Layer;
use crate::plan::Plan;
use crate::runner::{Launch, Plain, Runner, Unit, int, long, reduce};
use crate::sequence::{SequenceGradients, SequenceInputs, SequenceResults};
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
    pub steps: i32,
    pub batch: i32,
    pub every: i32,
    pub slots_in_shared: i32,
    pub group: i32,
    pub parameters: u64,
    pub x: u64,
    pub resets: u64,
    pub start: u64,
    pub end: u64,
    pub hidden: u64,
    pub records: u64,
    pub checkpoints: u64,
    pub grad_hidden: u64,
    pub grad_state: u64,
    pub grad_x: u64,
    pub partials: u64,
    pub scratch: u64,
    pub scratch_len: i64,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for Operands {}

impl Operands {
    pub fn new(layer: &Layer, plan: &Plan, extent: Extent, backward: bool) -> Self {
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

/// What a launch over a sequence forward needs.
#[derive(Debug)]
pub(crate) struct Prepared<A> {
    pub operands: Operands,
    /// Activities `[T, B, H]`.
    pub hidden: Option<A>,
    pub tape: Option<PlasticTape<A>>,
    /// Memory that the kernel works in.
    _scratch: A,
}

/// Operands of a sequence forward whose final states go to `end`, with arrays for activities and tape as far as they are
/// asked for.
pub(crate) fn prepare<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Layer,
    plan: &Plan,
    inputs: &SequenceInputs<'_, R::Array>,
    end: &R::Array,
    [hidden, tape]: [bool; 2],
) -> Result<Prepared<R::Array>> {
    let extent = inputs.extent;
    let scratch = runner.reserve(extent.batch * plan.scratch_len(layer, false))?;
    let reserve = |needed: bool, len: usize| needed.then(|| runner.reserve(len)).transpose();
    let hidden = reserve(hidden, extent.steps * extent.batch * layer.hidden())?;
    let records = reserve(tape, plan.records_len(layer, extent))?;
    let checkpoints = reserve(tape, plan.checkpoints_len(layer, extent))?;
    let address = |array: &Option<R::Array>| array.as_ref().map_or(0, |array| runner.address(array));
    let operands = Operands {
        parameters: runner.address(inputs.parameters),
        x: runner.address(inputs.x),
        resets: inputs.resets,
        start: runner.address(inputs.start),
        end: runner.address(end),
        hidden: address(&hidden),
        records: address(&records),
        checkpoints: address(&checkpoints),
        scratch: runner.address(&scratch),
        ..Operands::new(layer, plan, extent, false)
    };
    let tape = records.zip(checkpoints).map(|(records, checkpoints)| PlasticTape { records, checkpoints });
    Ok(Prepared { operands, hidden, tape, _scratch: scratch })
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
    let mut prepared = prepare(runner, layer, plan, inputs, &end, [true, tape])?;
    // It was asked for.
    let hidden = prepared.hidden.take().map_or_else(|| runner.reserve(0), Ok)?;
    prepared.operands.launch(runner, layer, plan, plan.blocks(extent.batch, false), false)?;
    Ok(SequenceResults { hidden, end, tape: prepared.tape.take() })
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
