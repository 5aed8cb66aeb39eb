//! Losses behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimArray, ShimReal, ShimRunner};
use crate::Extent;
use crate::distribution::{Actions, Distribution};
use crate::loss::{self, A2cLoss, A2cSteps, A2cSums, LossInputs};
use crate::policy::{OutputGradients, Outputs, PolicyInputs};
use crate::ppo::{self, PpoInputs, PpoLoss, PpoSteps, PpoSums};
use crate::spec::RawSpec;

/// Steps with one choice each: outputs `[B, T, choices + 1]`, actions `[B, T]`, advantages and returns `[T, B]`.
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

/// What a loss reads of a policy.
struct Placed<T> {
    policy: ShimArray<T>,
    values: Option<ShimArray<T>>,
    free: Option<ShimArray<T>>,
    choices: Option<ShimArray<i32>>,
    log_halves: Option<ShimArray<f64>>,
    actions: Option<ShimArray<u32>>,
    draws: Option<ShimArray<T>>,
}

/// The address of an array, 0 for none.
fn address<E>(array: &Option<ShimArray<E>>) -> u64 {
    array.as_ref().map_or(0, ShimRunner::address_of)
}

impl<T: ShimReal> Placed<T> {
    fn new(
        runner: &ShimRunner,
        distribution: &Distribution,
        outputs: &Outputs<'_, [T]>,
        actions: Actions<'_, T>,
    ) -> Self {
        let (choices, log_halves) = (distribution.choices(), distribution.log_halves());
        let (actions, draws) = match actions {
            Actions::Choices(choices) => (Some(runner.array(choices)), None),
            Actions::Draws(draws) => (None, Some(runner.array(draws))),
        };
        Self {
            policy: runner.array(outputs.policy),
            values: outputs.values.map(|values| runner.array(values)),
            free: outputs.free.map(|free| runner.array(free)),
            choices: (!choices.is_empty()).then(|| runner.array(&choices)),
            log_halves: (!log_halves.is_empty()).then(|| runner.array(log_halves)),
            actions,
            draws,
        }
    }

    fn inputs<'a>(&'a self, distribution: &'a Distribution) -> PolicyInputs<'a, ShimArray<T>> {
        let outputs = Outputs { policy: &self.policy, values: self.values.as_ref(), free: self.free.as_ref() };
        PolicyInputs {
            distribution,
            outputs,
            choices: address(&self.choices),
            log_halves: address(&self.log_halves),
            actions: address(&self.actions),
            draws: address(&self.draws),
        }
    }
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
    let distribution = Distribution::choice(steps.outputs.len() / units - 1);
    let outputs = Outputs { policy: steps.outputs, values: None, free: None };
    let placed = Placed::new(&runner, &distribution, &outputs, Actions::Choices(steps.actions));
    let [advantages, returns] = [steps.advantages, steps.returns].map(|values| runner.array(values));
    let inputs = LossInputs {
        extent: steps.extent,
        policy: placed.inputs(&distribution),
        advantages: &advantages,
        returns: &returns,
        counts: 0,
    };
    let (grads, partials) = loss::a2c(&runner, loss, &inputs).expect("the shim");
    (grads.policy.values(), A2cSums::of(&partials.values()), runner.problems())
}

/// The gradient of any policy's outputs over steps in one order, with these advantages and returns, the sums, and what
/// is wrong.
///
/// # Panics
/// If steps and outputs do not fit together.
pub fn a2c_loss_of_steps<T: ShimReal>(
    loss: &A2cLoss,
    machine: Machine,
    outputs: &Outputs<'_, [T]>,
    steps: A2cSteps<'_, T>,
    targets: [&[T]; 2],
) -> (OutputGradients<Vec<T>>, A2cSums, Problems) {
    let count = steps.check(outputs, targets, <[T]>::len).expect("steps that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let placed = Placed::new(&runner, steps.policy, outputs, steps.actions);
    let counts = steps.counts.map(|counts| runner.array(counts));
    let [advantages, returns] = targets.map(|values| runner.array(values));
    let inputs = LossInputs {
        extent: Extent { steps: count, batch: 1 },
        policy: placed.inputs(steps.policy),
        advantages: &advantages,
        returns: &returns,
        counts: address(&counts),
    };
    let (grads, partials) = loss::a2c(&runner, loss, &inputs).expect("the shim");
    (grads.map(|grad| grad.values()), A2cSums::of(&partials.values()), runner.problems())
}

/// The same of PPO's loss.
///
/// # Panics
/// If steps and outputs do not fit together.
pub fn ppo_loss<T: ShimReal>(
    loss: &PpoLoss,
    machine: Machine,
    outputs: &Outputs<'_, [T]>,
    steps: PpoSteps<'_, T>,
    targets: [&[T]; 2],
) -> (OutputGradients<Vec<T>>, PpoSums, Problems) {
    let count = steps.check().expect("steps that fit");
    assert_eq!(targets.map(<[T]>::len), [count; 2], "advantages and returns");
    loss.check(steps.distributions.is_some()).expect("steps of this loss");
    outputs.check(steps.policy, count, <[T]>::len).expect("outputs that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let placed = Placed::new(&runner, steps.policy, outputs, steps.actions);
    let counts = steps.counts.map(|counts| runner.array(counts));
    let distributions = steps.distributions.map(|distributions| runner.array(distributions));
    let [advantages, returns] = targets.map(|values| runner.array(values));
    let [log_probs, values] = [steps.log_probs, steps.values].map(|values| runner.array(values));
    let inputs = PpoInputs {
        steps: count,
        policy: placed.inputs(steps.policy),
        advantages: &advantages,
        returns: &returns,
        log_probs: &log_probs,
        values: &values,
        distributions: distributions.as_ref(),
        counts: address(&counts),
    };
    let (grads, partials) = ppo::ppo(&runner, loss, &inputs).expect("the shim");
    (grads.map(|grad| grad.values()), PpoSums::of(&partials.values()), runner.problems())
}
