//! Generalised advantage estimation.

use crate::lengths::expect_all;
use crate::product::Place;
use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::spec::GENERAL_THREADS;
use crate::{Error, Extent, Real, Result};

/// What advantages are estimated from beside values, as on the CPU. Arrays lie on the host, `[T, B]` if not said
/// otherwise.
#[derive(Clone, Copy, Debug)]
pub struct AdvantageSteps<'a, T> {
    /// Discount γ.
    pub gamma: f64,
    /// λ
    pub lambda: f64,
    /// Rewards.
    pub rewards: &'a [T],
    /// `[B]` values after the last step.
    pub last_values: &'a [T],
    /// 1 where a step ended its episode, so that nothing follows.
    pub terminated: &'a [u8],
    /// 1 where an episode was cut off after the step.
    pub truncated: &'a [u8],
    /// Values of what followed then.
    pub final_values: &'a [T],
}

impl<T> AdvantageSteps<'_, T> {
    /// Refuses arrays of other lengths.
    pub(crate) fn check(&self, extent: Extent) -> Result<()> {
        let steps = extent.steps * extent.batch;
        if steps == 0 {
            let problem = "advantages need at least one step and one environment".to_string();
            return Err(Error::Loss { problem });
        }
        let lens = [
            ("rewards", self.rewards.len()),
            ("terminated", self.terminated.len()),
            ("truncated", self.truncated.len()),
            ("final_values", self.final_values.len()),
        ];
        expect_all(&lens, steps)?;
        expect_all(&[("last_values", self.last_values.len())], extent.batch)
    }
}

/// `AdvantageOperands` of `kernels/advantage_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct AdvantageOperands {
    steps: i32,
    batch: i32,
    gamma: f64,
    lambda: f64,
    rewards: u64,
    values: u64,
    first: i64,
    by_step: i64,
    by_environment: i64,
    last_values: u64,
    terminated: u64,
    truncated: u64,
    final_values: u64,
    advantages: u64,
    returns: u64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for AdvantageOperands {}

/// Checked steps where kernels can reach them.
#[derive(Debug)]
pub(crate) struct AdvantageInputs<'a, A> {
    pub extent: Extent,
    /// γ and λ.
    pub discounts: [f64; 2],
    pub rewards: &'a A,
    /// Values, and where that of a step (row) and an environment (column) lies among them.
    pub values: (&'a A, Place),
    pub last_values: &'a A,
    /// Addresses of ends of episodes: terminated and truncated.
    pub ends: [u64; 2],
    pub final_values: &'a A,
}

/// Where values `[T, B]` lie.
pub(crate) fn time_major(extent: Extent) -> Place {
    Place { first: 0, by_row: extent.batch, by_column: 1 }
}

/// Where the last of so many outputs lie, `[B, T, outputs]`.
pub(crate) fn of_outputs(extent: Extent, outputs: usize) -> Place {
    Place { first: outputs - 1, by_row: outputs, by_column: extent.steps * outputs }
}

/// Advantages and returns, `[T, B]` each.
pub(crate) fn generalized<T: Real, R: Runner<T>>(
    runner: &R,
    inputs: &AdvantageInputs<'_, R::Array>,
) -> Result<[R::Array; 2]> {
    let Extent { steps, batch } = inputs.extent;
    let ([gamma, lambda], [terminated, truncated]) = (inputs.discounts, inputs.ends);
    let (values, place) = inputs.values;
    let (advantages, returns) = (runner.reserve(steps * batch)?, runner.reserve(steps * batch)?);
    let operands = AdvantageOperands {
        steps: int(steps),
        batch: int(batch),
        gamma,
        lambda,
        rewards: runner.address(inputs.rewards),
        values: runner.address(values),
        first: long(place.first),
        by_step: long(place.by_row),
        by_environment: long(place.by_column),
        last_values: runner.address(inputs.last_values),
        terminated,
        truncated,
        final_values: runner.address(inputs.final_values),
        advantages: runner.address(&advantages),
        returns: runner.address(&returns),
    };
    let blocks = batch.div_ceil(GENERAL_THREADS);
    let launch = Launch { unit: Unit::General, kernel: "generalized_advantages", blocks, shared: 0 };
    runner.launch(launch, &operands)?;
    Ok([advantages, returns])
}
