//! Layers with fast weights behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use super::sequence::{Backward, Inputs, lent};
use crate::layer::Layer;
use crate::plan::Plan;
use crate::plastic::{self, PlasticTape};
use crate::sequence::SequenceGradients;
use crate::spec::RawSpec;

/// Results of a forward pass.
#[derive(Clone, Debug)]
pub struct Forward<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Vec<T>,
    /// The final state `[B, S]`.
    pub end: Vec<T>,
    /// For the backward pass.
    pub records: Vec<T>,
    /// For the backward pass.
    pub checkpoints: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

/// Runs a sequence forward.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn forward<T: ShimReal>(layer: &Layer, plan: &Plan, machine: Machine, inputs: Inputs<'_, T>) -> Forward<T> {
    inputs.check([layer.parameters(), layer.input(), layer.state_len()]);
    let runner = ShimRunner::new(RawSpec::new(layer, &plan.threads), machine);
    let arrays = lent(&runner, inputs);
    let forward = plastic::forward(&runner, layer, plan, &arrays.inputs(inputs.extent), true).expect("the shim");
    let PlasticTape { records, checkpoints } = forward.tape.expect("a tape was asked for");
    Forward {
        hidden: forward.hidden.values(),
        end: forward.end.values(),
        records: records.values(),
        checkpoints: checkpoints.values(),
        problems: runner.problems(),
    }
}

/// Runs a sequence backward, from the gradients of the activities `[T, B, H]` and of the final state `[B, S]`.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn backward<T: ShimReal>(
    layer: &Layer,
    plan: &Plan,
    machine: Machine,
    inputs: Inputs<'_, T>,
    forward: &Forward<T>,
    grad_hidden: &[T],
    grad_end: &[T],
) -> Backward<T> {
    assert_eq!(grad_hidden.len(), forward.hidden.len(), "grad_hidden");
    assert_eq!(grad_end.len(), inputs.start.len(), "grad_end");
    let runner = ShimRunner::new(RawSpec::new(layer, &plan.threads), machine);
    let arrays = lent(&runner, inputs);
    let (records, checkpoints) = (runner.array(&forward.records), runner.array(&forward.checkpoints));
    let (hidden, tape) = (runner.array(&forward.hidden), PlasticTape { records, checkpoints });
    let gradients = [&runner.array(grad_hidden), &runner.array(grad_end)];
    let back = plastic::backward(&runner, layer, plan, &arrays.inputs(inputs.extent), (&hidden, &tape), gradients);
    let SequenceGradients { x, state, parameters } = back.expect("the shim");
    let (x, state, parameters) = (x.values(), state.values(), parameters.values());
    Backward { x, state, parameters, problems: runner.problems() }
}
