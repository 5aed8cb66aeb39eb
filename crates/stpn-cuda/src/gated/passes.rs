//! The launches of a sequence of LSTM, GRU or RNN.
//!
//! Forward, one product over all steps and environments gives what comes from the inputs; the sequence kernel adds what
//! comes from the activities, step by step. Backward, the sequence kernel gives the gradients of the pre-activations;
//! those of inputs and weights are products over all steps and environments again.

use super::layer::{Gated, GatedKind};
use super::operands::{GatedInputs, GatedMeasured, GatedOperands};
use super::plan::GatedPlan;
use crate::energy::{EnergyOf, EnergyOperands};
use crate::product::{Operand, Place, Product, ones_column, plain_rows};
use crate::runner::{Launch, Runner, Unit, reduce};
use crate::sequence::{MeasuredSequence, SequenceGradients, SequenceInputs, SequenceResults};
use crate::{Real, Result};

/// What the backward pass needs beside that.
#[derive(Debug)]
pub(crate) struct GatedTape<A> {
    /// Gates as used, `[T, B, rows]`; the RNN has none.
    gates: Option<A>,
    /// h before each step, `[T, B, H]`.
    before: A,
    /// The LSTM's c before each step, the GRU's n from activities.
    memory: Option<A>,
    /// Normalised pre-activations `[T, B, rows]`, and 1/deviation `[T, B]`.
    norm: Option<(A, A)>,
}

/// The recurrent matrix laid out for a pass.
fn laid_out<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    operands: &mut GatedOperands,
    kernel: &'static str,
) -> Result<R::Array> {
    let len = layer.rows() * layer.hidden;
    let weights = runner.reserve(len)?;
    operands.weights = runner.address(&weights);
    let blocks = len.div_ceil(runner.threads(Unit::Layer));
    runner.launch(Launch { unit: Unit::Layer, kernel, blocks, shared: 0 }, operands)?;
    Ok(weights)
}

/// What a launch over a sequence forward needs.
#[derive(Debug)]
pub(crate) struct Prepared<A> {
    pub operands: GatedOperands,
    /// Activities `[T, B, H]`.
    pub hidden: A,
    pub tape: Option<GatedTape<A>>,
    /// The recurrent matrix as it is laid out, and gates that no tape has.
    _read: (A, Option<A>),
}

/// Operands of a sequence forward whose final states go to `end`; `gates` `[T, B, rows]` have what comes from the
/// inputs, or become those of the tape.
pub(crate) fn prepare<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    inputs: &SequenceInputs<'_, R::Array>,
    end: &R::Array,
    gates: Option<R::Array>,
    tape: bool,
) -> Result<Prepared<R::Array>> {
    let (units, rows, size) = (inputs.extent.steps * inputs.extent.batch, layer.rows(), layer.hidden);
    let mut operands = GatedOperands::new(layer, inputs.extent);
    operands.parameters = runner.address(inputs.parameters);
    let weights = laid_out(runner, layer, &mut operands, "gated_layout_forward")?;
    let hidden = runner.reserve(units * size)?;
    let reserve = |needed: bool, len: usize| (tape && needed).then(|| runner.reserve(units * len)).transpose();
    let before = reserve(true, size)?;
    let memory = reserve(layer.kind != GatedKind::Rnn, size)?;
    let norm = reserve(layer.layer_norm, rows)?.zip(reserve(layer.layer_norm, 1)?);
    let address = |array: &Option<R::Array>| array.as_ref().map_or(0, |array| runner.address(array));
    operands.resets = inputs.resets;
    operands.start = runner.address(inputs.start);
    operands.end = runner.address(end);
    operands.hidden = runner.address(&hidden);
    operands.gates = address(&gates);
    operands.before = address(&before);
    operands.memory = address(&memory);
    if let Some((normal, deviation)) = &norm {
        (operands.normal, operands.deviation) = (runner.address(normal), runner.address(deviation));
    }
    let (of_tape, rest) = if tape && layer.kind != GatedKind::Rnn { (gates, None) } else { (None, gates) };
    let tape = before.map(|before| GatedTape { gates: of_tape, before, memory, norm });
    Ok(Prepared { operands, hidden, tape, _read: (weights, rest) })
}

/// What comes from the inputs, `[T, B, rows]`.
fn from_inputs<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    inputs: &SequenceInputs<'_, R::Array>,
) -> Result<R::Array> {
    let (units, rows) = (inputs.extent.steps * inputs.extent.batch, layer.rows());
    let gates = runner.reserve(units * rows)?;
    let parameters = runner.address(inputs.parameters);
    Product {
        bias: Some((parameters, layer.bias())),
        ..Product::new(
            [units, rows, layer.input],
            Operand { values: runner.address(inputs.x), place: plain_rows(layer.input) },
            Operand { values: parameters, place: layer.input_place().transposed() },
            Operand { values: runner.address(&gates), place: plain_rows(rows) },
        )
    }
    .launch(runner)?;
    Ok(gates)
}

/// The launch of a sequence forward.
fn launch_forward<T>(layer: &Gated, plan: &GatedPlan, kernel: &'static str, batch: usize) -> Launch {
    let shared = plan.shared_len(layer, false) * size_of::<T>();
    Launch { unit: Unit::Layer, kernel, blocks: plan.blocks(batch), shared }
}

/// A sequence forward; with `tape`, [`backward`] can follow.
pub(crate) fn forward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    plan: &GatedPlan,
    inputs: &SequenceInputs<'_, R::Array>,
    tape: bool,
) -> Result<SequenceResults<R::Array, GatedTape<R::Array>>> {
    let batch = inputs.extent.batch;
    let gates = from_inputs(runner, layer, inputs)?;
    let end = runner.reserve(batch * layer.state_len())?;
    let prepared = prepare(runner, layer, inputs, &end, Some(gates), tape)?;
    runner.launch(launch_forward::<T>(layer, plan, "gated_forward", batch), &prepared.operands)?;
    Ok(SequenceResults { hidden: prepared.hidden, end, tape: prepared.tape })
}

/// The same without a tape, and the energy `[samples, B', H]` of what was checked; with the address of its mask.
pub(crate) fn forward_measured<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    plan: &GatedPlan,
    inputs: &SequenceInputs<'_, R::Array>,
    (energy, mask): (&EnergyOf<'_, T>, u64),
) -> Result<MeasuredSequence<R::Array>> {
    let (steps, batch) = (inputs.extent.steps, inputs.extent.batch);
    let gates = from_inputs(runner, layer, inputs)?;
    let end = runner.reserve(batch * layer.state_len())?;
    let prepared = prepare(runner, layer, inputs, &end, Some(gates), false)?;
    let measured = runner.reserve(energy.len(steps, layer.hidden))?;
    let operands = GatedMeasured {
        sequence: prepared.operands,
        inputs: GatedInputs::new(layer, runner.address(inputs.x)),
        energy: EnergyOperands::new(energy, mask, runner.address(&measured)),
    };
    runner.launch(launch_forward::<T>(layer, plan, "gated_measured", batch), &operands)?;
    Ok(MeasuredSequence { hidden: prepared.hidden, end, energy: measured })
}

/// The exact backward pass, from the gradients of the activities `[T, B, H]` and of the final state `[B, S]`.
pub(crate) fn backward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    plan: &GatedPlan,
    inputs: &SequenceInputs<'_, R::Array>,
    (hidden, tape): (&R::Array, &GatedTape<R::Array>),
    [grad_hidden, grad_end]: [&R::Array; 2],
) -> Result<SequenceGradients<R::Array>> {
    let extent = inputs.extent;
    let (units, rows) = (extent.steps * extent.batch, layer.rows());
    let state = runner.copy(grad_end)?;
    let grad_gates = runner.reserve(units * rows)?;
    let address = |array: &Option<R::Array>| array.as_ref().map_or(0, |array| runner.address(array));
    let grad_new = match layer.kind {
        GatedKind::Gru => Some(runner.reserve(units * layer.hidden)?),
        GatedKind::Lstm | GatedKind::Rnn => None,
    };
    let blocks = plan.blocks(extent.batch);
    let grad_norm = if layer.layer_norm { Some(runner.reserve(blocks * 2 * rows)?) } else { None };
    let mut operands = GatedOperands::new(layer, extent);
    operands.parameters = runner.address(inputs.parameters);
    let weights = laid_out(runner, layer, &mut operands, "gated_layout_backward")?;
    operands.weights = runner.address(&weights);
    operands.resets = inputs.resets;
    operands.hidden = runner.address(hidden);
    operands.gates = address(&tape.gates);
    operands.before = runner.address(&tape.before);
    operands.memory = address(&tape.memory);
    if let Some((normal, deviation)) = &tape.norm {
        (operands.normal, operands.deviation) = (runner.address(normal), runner.address(deviation));
    }
    operands.grad_hidden = runner.address(grad_hidden);
    operands.grad_state = runner.address(&state);
    operands.grad_gates = runner.address(&grad_gates);
    operands.grad_new = address(&grad_new);
    operands.grad_norm = address(&grad_norm);
    let shared = plan.shared_len(layer, true) * size_of::<T>();
    runner.launch(Launch { unit: Unit::Layer, kernel: "gated_backward", blocks, shared }, &operands)?;

    let x = runner.reserve(units * layer.input)?;
    Product::new(
        [units, layer.input, rows],
        Operand { values: operands.grad_gates, place: plain_rows(rows) },
        Operand { values: operands.parameters, place: layer.input_place() },
        Operand { values: runner.address(&x), place: plain_rows(layer.input) },
    )
    .launch(runner)?;
    let mut parameters = weights_gradient(runner, layer, plan, inputs, &operands)?;
    if let Some(grad_norm) = grad_norm {
        let grad_norm = reduce(runner, Unit::General, grad_norm, blocks, 2 * rows)?;
        let mut whole = runner.reserve(layer.parameters())?;
        for (part, at) in [(&parameters, 0), (&grad_norm, layer.weights_len())] {
            runner.copy_into(part, &mut whole, at)?;
        }
        parameters = whole;
    }
    Ok(SequenceGradients { x, state, parameters })
}

/// Gradient of weights and biases, from those of the pre-activations.
fn weights_gradient<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Gated,
    plan: &GatedPlan,
    inputs: &SequenceInputs<'_, R::Array>,
    operands: &GatedOperands,
) -> Result<R::Array> {
    let (units, rows, size) = (inputs.extent.steps * inputs.extent.batch, layer.rows(), layer.hidden);
    let (parts, len) = (plan.parts(inputs.extent), layer.weights_len());
    let partials = runner.reserve(parts * len)?;
    let out = runner.address(&partials);
    // Some rows of a matrix, and of the bias beside it: their gradients from those of pre-activations, of which a unit
    // of time and environment has `width`, times what they are multiplied with.
    let rows_of =
        |gradients: u64, width: usize, [first, count]: [usize; 2], right: Operand, columns, place: Place, bias| {
            let left = Operand { values: gradients, place: plain_rows(width).transposed() };
            let out = Operand { values: out, place: Place { first: place.first + first * place.by_row, ..place } };
            let product =
                Product { part: plan.part, out_part: len, ..Product::new([count, columns, units], left, right, out) };
            ones_column(product, bias).launch(runner)
        };
    let x = Operand { values: runner.address(inputs.x), place: plain_rows(layer.input) };
    rows_of(operands.grad_gates, rows, [0, rows], x, layer.input, layer.input_place(), Some(layer.bias()))?;
    let before = Operand { values: operands.before, place: plain_rows(size) };
    let second = layer.second_bias();
    // The GRU's n gets another gradient from activities than from inputs.
    let same = if layer.kind == GatedKind::Gru { 2 * size } else { rows };
    rows_of(operands.grad_gates, rows, [0, same], before, size, layer.recurrent_place(), second)?;
    if same < rows {
        let bias = second.map(|second| second + same);
        rows_of(operands.grad_new, size, [same, size], before, size, layer.recurrent_place(), bias)?;
    }
    reduce(runner, Unit::General, partials, parts, len)
}
