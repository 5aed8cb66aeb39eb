//! The loss behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::Extent;
use crate::loss::{self, A2cLoss, A2cSums, LossInputs};
use crate::spec::RawSpec;

/// Steps with discrete actions: outputs `[B, T, choices + 1]`, actions `[B, T]`, advantages and returns `[T, B]`.
#[derive(Clone, Copy, Debug)]
pub struct LossSteps<'a, T> {
    /// T and B.
    pub extent: Extent,
    /// Logits and a value.
    pub outputs: &'a [T],
    /// Choices.
    pub actions: &'a [u32],
    /// Advantages of the actions.
    pub advantages: &'a [T],
    /// Targets of the values.
    pub returns: &'a [T],
}

/// The gradient of the outputs `[T, B, choices + 1]`, the sums, and what is wrong.
///
/// # Panics
/// If an array has another length.
pub fn a2c_loss<T: ShimReal>(loss: &A2cLoss, machine: Machine, steps: LossSteps<'_, T>) -> (Vec<T>, A2cSums, Problems) {
    let units = steps.extent.steps * steps.extent.batch;
    assert!([steps.actions.len(), steps.advantages.len(), steps.returns.len()].iter().all(|len| *len == units));
    assert_eq!(steps.outputs.len() % units, 0, "outputs");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let actions = runner.array(steps.actions);
    let [outputs, advantages, returns] =
        [steps.outputs, steps.advantages, steps.returns].map(|values| runner.array(values));
    let inputs = LossInputs {
        extent: steps.extent,
        choices: steps.outputs.len() / units - 1,
        outputs: &outputs,
        actions: ShimRunner::address_of(&actions),
        advantages: &advantages,
        returns: &returns,
    };
    let (grad, partials) = loss::a2c(&runner, loss, &inputs).expect("the shim");
    (grad.values(), A2cSums::of(&partials.values()), runner.problems())
}
