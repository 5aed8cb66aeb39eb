//! Losses behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::Extent;
use crate::loss::{self, A2cLoss, A2cSteps, A2cSums, LossInputs};
use crate::ppo::{self, PpoInputs, PpoLoss, PpoSteps, PpoSums};
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
        counts: 0,
    };
    let (grad, partials) = loss::a2c(&runner, loss, &inputs).expect("the shim");
    (grad.values(), A2cSums::of(&partials.values()), runner.problems())
}

/// The same of steps in one order, for outputs `[N, choices + 1]` in that order.
///
/// # Panics
/// If steps and outputs do not fit together.
pub fn a2c_loss_of_steps<T: ShimReal>(
    loss: &A2cLoss,
    machine: Machine,
    outputs: &[T],
    steps: A2cSteps<'_, T>,
) -> (Vec<T>, A2cSums, Problems) {
    steps.check(outputs.len()).expect("steps that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let (actions, counts) = (runner.array(steps.actions), steps.counts.map(|counts| runner.array(counts)));
    let [outputs, advantages, returns] = [outputs, steps.advantages, steps.returns].map(|values| runner.array(values));
    let inputs = LossInputs {
        extent: Extent { steps: steps.actions.len(), batch: 1 },
        choices: steps.choices,
        outputs: &outputs,
        actions: ShimRunner::address_of(&actions),
        advantages: &advantages,
        returns: &returns,
        counts: counts.as_ref().map_or(0, ShimRunner::address_of),
    };
    let (grad, partials) = loss::a2c(&runner, loss, &inputs).expect("the shim");
    (grad.values(), A2cSums::of(&partials.values()), runner.problems())
}

/// The gradient of PPO's loss in outputs `[N, choices + 1]`, the sums, and what is wrong.
///
/// # Panics
/// If steps and outputs do not fit together.
pub fn ppo_loss<T: ShimReal>(
    loss: &PpoLoss,
    machine: Machine,
    outputs: &[T],
    steps: PpoSteps<'_, T>,
) -> (Vec<T>, PpoSums, Problems) {
    steps.check(loss, outputs.len()).expect("steps that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let (actions, counts) = (runner.array(steps.actions), steps.counts.map(|counts| runner.array(counts)));
    let logits = steps.logits.map(|logits| runner.array(logits));
    let [outputs, advantages, returns, log_probs, values] =
        [outputs, steps.advantages, steps.returns, steps.log_probs, steps.values].map(|values| runner.array(values));
    let inputs = PpoInputs {
        steps: steps.actions.len(),
        choices: steps.choices,
        outputs: &outputs,
        actions: ShimRunner::address_of(&actions),
        advantages: &advantages,
        returns: &returns,
        log_probs: &log_probs,
        values: &values,
        logits: logits.as_ref(),
        counts: counts.as_ref().map_or(0, ShimRunner::address_of),
    };
    let (grad, partials) = ppo::ppo(&runner, loss, &inputs).expect("the shim");
    (grad.values(), PpoSums::of(&partials.values()), runner.problems())
}
