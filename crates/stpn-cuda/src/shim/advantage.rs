//! Advantages behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::Extent;
use crate::advantage::{self, AdvantageInputs, AdvantageSteps};
use crate::product::Place;
use crate::spec::RawSpec;

/// Advantages and returns `[T, B]` of steps with `values` `[T, B]`, and what is wrong.
///
/// # Panics
/// If an array has another length.
pub fn advantages<T: ShimReal>(
    machine: Machine,
    extent: Extent,
    values: &[T],
    steps: &AdvantageSteps<'_, T>,
) -> ([Vec<T>; 2], Problems) {
    assert_eq!(values.len(), extent.steps * extent.batch, "values");
    run(machine, extent, (values, advantage::time_major(extent)), steps)
}

/// The same with values that are the last of so many outputs, `[B, T, outputs]`.
///
/// # Panics
/// If an array has another length.
pub fn advantages_of_outputs<T: ShimReal>(
    machine: Machine,
    extent: Extent,
    outputs: &[T],
    steps: &AdvantageSteps<'_, T>,
) -> ([Vec<T>; 2], Problems) {
    let width = outputs.len() / (extent.steps * extent.batch);
    assert_eq!(outputs.len(), extent.steps * extent.batch * width, "outputs");
    run(machine, extent, (outputs, advantage::of_outputs(extent, width)), steps)
}

fn run<T: ShimReal>(
    machine: Machine,
    extent: Extent,
    (values, place): (&[T], Place),
    steps: &AdvantageSteps<'_, T>,
) -> ([Vec<T>; 2], Problems) {
    steps.check(extent).expect("steps that fit");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let [values, rewards, last_values, final_values] =
        [values, steps.rewards, steps.last_values, steps.final_values].map(|values| runner.array(values));
    let ends = [steps.terminated, steps.truncated].map(|ends| runner.array(ends));
    let inputs = AdvantageInputs {
        extent,
        discounts: [steps.gamma, steps.lambda],
        rewards: &rewards,
        values: (&values, place),
        last_values: &last_values,
        ends: ends.each_ref().map(ShimRunner::address_of),
        final_values: &final_values,
    };
    let both = advantage::generalized(&runner, &inputs).expect("the shim");
    (both.map(|values| values.values()), runner.problems())
}
