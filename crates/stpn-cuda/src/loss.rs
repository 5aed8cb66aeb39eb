//! The loss of A2C, and its gradient in the outputs of the heads.

use crate::distribution::{Actions, Distribution};
use crate::lengths::expect_all;
use crate::policy::{OutputGradients, Outputs, PolicyInputs, PolicyOperands};
use crate::runner::{Launch, Plain, Runner, Unit, int};
use crate::spec::GENERAL_THREADS;
use crate::{Extent, Real, Result};

/// Sums that a block writes.
const SUMS: usize = 4;

/// The loss of advantage actor–critic: −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct A2cLoss {
    /// c_v
    pub value: f64,
    /// c_e
    pub entropy: f64,
    /// c_c
    pub concentration: f64,
    /// Mean that is subtracted from advantages.
    pub mean: f64,
    /// What they are multiplied by then.
    pub inverse_deviation: f64,
    /// Factor of the gradient.
    pub scale: f64,
}

/// Steps whose loss A2C computes, N in any one order, e.g. time-major `[L·B]`. Arrays lie on the host; advantages and
/// returns, which come from a kernel, are given apart.
#[derive(Clone, Copy, Debug)]
pub struct A2cSteps<'a, T> {
    /// The family of distributions that actions are drawn from.
    pub policy: &'a Distribution,
    /// `[N, A]`
    pub actions: Actions<'a, T>,
    /// `[N]`, 0 where a step is padding, which has no loss; none: all count.
    pub counts: Option<&'a [u8]>,
}

impl<T> A2cSteps<'_, T> {
    /// Refuses actions that the distribution does not have, and arrays of other lengths: `targets` are advantages and
    /// returns, and `len` is the length of an array that lies where the outputs do. Returns the number of steps.
    pub(crate) fn check<A: ?Sized>(
        &self,
        outputs: &Outputs<'_, A>,
        [advantages, returns]: [&A; 2],
        len: impl Fn(&A) -> usize,
    ) -> Result<usize> {
        let steps = self.policy.steps(&self.actions)?;
        let lens = [
            ("advantages", len(advantages)),
            ("returns", len(returns)),
            ("counts", self.counts.map_or(steps, <[u8]>::len)),
        ];
        expect_all(&lens, steps)?;
        outputs.check(self.policy, steps, len)?;
        Ok(steps)
    }
}

/// Sums over steps, none of them scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct A2cSums {
    /// −log π(a|s)·A
    pub policy: f64,
    /// (R − V)²
    pub value: f64,
    /// H(π)
    pub entropy: f64,
    /// Σ_a π(a)²
    pub concentration: f64,
}

impl A2cSums {
    /// Adds the blocks' sums up in their order.
    pub(crate) fn of(partials: &[f64]) -> Self {
        let mut sums = Self::default();
        for block in partials.chunks_exact(SUMS) {
            sums.policy += block[0];
            sums.value += block[1];
            sums.entropy += block[2];
            sums.concentration += block[3];
        }
        sums
    }
}

/// `LossOperands` of `kernels/loss_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct LossOperands {
    steps: i32,
    batch: i32,
    policy: PolicyOperands,
    advantages: u64,
    returns: u64,
    counts: u64,
    partials: u64,
    value: f64,
    entropy: f64,
    concentration: f64,
    mean: f64,
    inverse_deviation: f64,
    scale: f64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for LossOperands {}

/// Checked steps where kernels can reach them: outputs and actions of the policy `[B, T, …]`, advantages and returns
/// `[T, B]`, the address of counts `[T, B]` (0: all steps count). Steps in one order are those of one environment.
#[derive(Debug)]
pub(crate) struct LossInputs<'a, A> {
    pub extent: Extent,
    pub policy: PolicyInputs<'a, A>,
    pub advantages: &'a A,
    pub returns: &'a A,
    pub counts: u64,
}

/// The gradient of the outputs `[T, B, …]`, and the blocks' sums.
pub(crate) fn a2c<T: Real, R: Runner<T>>(
    runner: &R,
    loss: &A2cLoss,
    inputs: &LossInputs<'_, R::Array>,
) -> Result<(OutputGradients<R::Array>, R::Doubles)> {
    let (Extent { steps, batch }, policy) = (inputs.extent, &inputs.policy);
    let blocks = (steps * batch).div_ceil(GENERAL_THREADS);
    let (grads, partials) = (policy.gradients(runner, steps * batch)?, runner.reserve_doubles(blocks * SUMS)?);
    let operands = LossOperands {
        steps: int(steps),
        batch: int(batch),
        policy: policy.operands(runner, &grads),
        advantages: runner.address(inputs.advantages),
        returns: runner.address(inputs.returns),
        counts: inputs.counts,
        partials: runner.address_of_doubles(&partials),
        value: loss.value,
        entropy: loss.entropy,
        concentration: loss.concentration,
        mean: loss.mean,
        inverse_deviation: loss.inverse_deviation,
        scale: loss.scale,
    };
    let shared = GENERAL_THREADS * size_of::<f64>();
    runner.launch(Launch { unit: Unit::General, kernel: "a2c_loss", blocks, shared }, &operands)?;
    Ok((grads.summed(runner, policy.distribution, steps * batch)?, partials))
}
