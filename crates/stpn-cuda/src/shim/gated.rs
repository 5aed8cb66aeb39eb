//! LSTM, GRU and RNN behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use super::sequence::{Backward, Inputs, lent};
use crate::gated::{Gated, GatedPlan, passes};
use crate::sequence::SequenceGradients;
use crate::spec::RawSpec;

/// Results of a forward pass.
#[derive(Clone, Debug)]
pub struct GatedResults<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Vec<T>,
    /// The final state `[B, S]`.
    pub end: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

/// Runs a sequence forward, without what a backward pass needs.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn gated_forward<T: ShimReal>(
    layer: &Gated,
    plan: &GatedPlan,
    machine: Machine,
    inputs: Inputs<'_, T>,
) -> GatedResults<T> {
    inputs.check([layer.parameters(), layer.input, layer.state_len()]);
    let runner = ShimRunner::new(RawSpec::gated(layer, plan), machine);
    let arrays = lent(&runner, inputs);
    let forward = passes::forward(&runner, layer, plan, &arrays.inputs(inputs.extent), false).expect("the shim");
    GatedResults { hidden: forward.hidden.values(), end: forward.end.values(), problems: runner.problems() }
}

/// Runs a sequence forward and back, from the gradients of the activities `[T, B, H]` and of the final state `[B, S]`.
/// What is wrong with both is in the second result.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn gated_there_and_back<T: ShimReal>(
    layer: &Gated,
    plan: &GatedPlan,
    machine: Machine,
    inputs: Inputs<'_, T>,
    grad_hidden: &[T],
    grad_end: &[T],
) -> (GatedResults<T>, Backward<T>) {
    inputs.check([layer.parameters(), layer.input, layer.state_len()]);
    assert_eq!(grad_hidden.len(), inputs.extent.steps * inputs.extent.batch * layer.hidden, "grad_hidden");
    assert_eq!(grad_end.len(), inputs.start.len(), "grad_end");
    let runner = ShimRunner::new(RawSpec::gated(layer, plan), machine);
    let arrays = lent(&runner, inputs);
    let operands = arrays.inputs(inputs.extent);
    let forward = passes::forward(&runner, layer, plan, &operands, true).expect("the shim");
    let tape = forward.tape.as_ref().expect("a tape was asked for");
    let gradients = [&runner.array(grad_hidden), &runner.array(grad_end)];
    let back = passes::backward(&runner, layer, plan, &operands, (&forward.hidden, tape), gradients);
    let SequenceGradients { x, state, parameters } = back.expect("the shim");
    let (hidden, end) = (forward.hidden.values(), forward.end.values());
    let (x, state, parameters) = (x.values(), state.values(), parameters.values());
    let problems = runner.problems();
    (GatedResults { hidden, end, problems: problems.clone() }, Backward { x, state, parameters, problems })
}
