//! The loss of PPO, and its gradient in the outputs of the heads.

use crate::distribution::{Actions, Distribution};
use crate::lengths::expect_all;
use crate::policy::{OutputGradients, PolicyInputs, PolicyOperands};
use crate::runner::{Launch, Plain, Runner, Unit, long};
use crate::spec::GENERAL_THREADS;
use crate::{Error, Real, Result};

/// Sums that a block writes.
const SUMS: usize = 10;

/// The loss of PPO: −min(r A, clip(r, 1 ± ε) A) + c_v (R − V)² − c_e H(π) + c_k KL(π_old ‖ π), with
/// r = π(a|s) / π_old(a|s).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpoLoss {
    /// ε
    pub clip: f64,
    /// c_v
    pub value: f64,
    /// How far a value may move from that of the policy that acted, if that is limited: the larger error counts.
    pub value_clip: Option<f64>,
    /// The largest squared error of a value, if that is limited; beyond it, there is no gradient.
    pub value_error_clamp: Option<f64>,
    /// c_e
    pub entropy: f64,
    /// c_k; none: the divergence is not computed.
    pub kl: Option<f64>,
    /// Mean that is subtracted from advantages.
    pub mean: f64,
    /// What they are multiplied by then.
    pub inverse_deviation: f64,
    /// Factor of the gradient.
    pub scale: f64,
}

/// Steps whose loss PPO computes, N in any one order, e.g. time-major `[L·B]`. Arrays lie on the host; advantages and
/// returns, which come from a kernel, are given apart.
#[derive(Clone, Copy, Debug)]
pub struct PpoSteps<'a, T> {
    /// The family of distributions that actions are drawn from.
    pub policy: &'a Distribution,
    /// `[N, A]`
    pub actions: Actions<'a, T>,
    /// `[N]` log-probabilities of the actions under the policy that acted.
    pub log_probs: &'a [T],
    /// `[N]` values of that policy.
    pub values: &'a [T],
    /// `[N, P]` parameters of its distributions, if the divergence from them counts.
    pub distributions: Option<&'a [T]>,
    /// `[N]`, 0 where a step is padding, which has no loss; none: all count.
    pub counts: Option<&'a [u8]>,
}

/// Sums over the steps that count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PpoSums {
    /// Steps.
    pub steps: f64,
    /// What is minimised, before it is scaled.
    pub total: f64,
    /// −min(r A, clip(r, 1 ± ε) A)
    pub policy: f64,
    /// Squared errors of the values, clipped and limited as asked for.
    pub value: f64,
    /// H(π)
    pub entropy: f64,
    /// Σ_a π(a)²
    pub concentration: f64,
    /// KL(π_old ‖ π), where it counts.
    pub kl: f64,
    /// −ln r
    pub old_approx_kl: f64,
    /// (r − 1) − ln r
    pub approx_kl: f64,
    /// Steps whose ratio lies outside 1 ± ε.
    pub clipped: f64,
}

impl PpoSums {
    /// Adds the blocks' sums up in their order.
    pub(crate) fn of(partials: &[f64]) -> Self {
        let mut sums = [0.0; SUMS];
        for block in partials.chunks_exact(SUMS) {
            sums.iter_mut().zip(block).for_each(|(sum, part)| *sum += part);
        }
        let [steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped] = sums;
        Self { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped }
    }
}

impl PpoLoss {
    /// Refuses distributions of the policy that acted without a coefficient, or the other way round.
    pub(crate) fn check(&self, distributions: bool) -> Result<()> {
        if distributions == self.kl.is_some() {
            return Ok(());
        }
        let problem = "the divergence needs its coefficient and the distributions of the policy that acted";
        Err(Error::Loss { problem: problem.to_string() })
    }
}

impl<T> PpoSteps<'_, T> {
    /// Refuses actions that the distribution does not have, and arrays of other lengths. Returns the number of steps.
    pub(crate) fn check(&self) -> Result<usize> {
        let steps = self.policy.steps(&self.actions)?;
        let lens = [
            ("log_probs", self.log_probs.len()),
            ("values", self.values.len()),
            ("counts", self.counts.map_or(steps, <[u8]>::len)),
        ];
        expect_all(&lens, steps)?;
        let parameters = steps * self.policy.parameters();
        expect_all(&[("distributions", self.distributions.map_or(parameters, <[T]>::len))], parameters)?;
        Ok(steps)
    }
}

/// `PpoOperands` of `kernels/ppo_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct PpoOperands {
    steps: i64,
    policy: PolicyOperands,
    advantages: u64,
    returns: u64,
    log_probs: u64,
    values: u64,
    behaviour: u64,
    counts: u64,
    partials: u64,
    clip: f64,
    value_clip: f64,
    value_error_clamp: f64,
    value: f64,
    entropy: f64,
    kl: f64,
    mean: f64,
    inverse_deviation: f64,
    scale: f64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for PpoOperands {}

/// Checked steps where kernels can reach them.
#[derive(Debug)]
pub(crate) struct PpoInputs<'a, A> {
    pub steps: usize,
    pub policy: PolicyInputs<'a, A>,
    pub advantages: &'a A,
    pub returns: &'a A,
    pub log_probs: &'a A,
    pub values: &'a A,
    pub distributions: Option<&'a A>,
    /// Their address, 0 if all steps count.
    pub counts: u64,
}

/// The gradient of the outputs, and the blocks' sums.
pub(crate) fn ppo<T: Real, R: Runner<T>>(
    runner: &R,
    loss: &PpoLoss,
    inputs: &PpoInputs<'_, R::Array>,
) -> Result<(OutputGradients<R::Array>, R::Doubles)> {
    let (steps, policy) = (inputs.steps, &inputs.policy);
    let blocks = steps.div_ceil(GENERAL_THREADS);
    let (grads, partials) = (policy.gradients(runner, steps)?, runner.reserve_doubles(blocks * SUMS)?);
    let operands = PpoOperands {
        steps: long(steps),
        policy: policy.operands(runner, &grads),
        advantages: runner.address(inputs.advantages),
        returns: runner.address(inputs.returns),
        log_probs: runner.address(inputs.log_probs),
        values: runner.address(inputs.values),
        behaviour: inputs.distributions.map_or(0, |distributions| runner.address(distributions)),
        counts: inputs.counts,
        partials: runner.address_of_doubles(&partials),
        clip: loss.clip,
        value_clip: loss.value_clip.unwrap_or(-1.0),
        value_error_clamp: loss.value_error_clamp.unwrap_or(-1.0),
        value: loss.value,
        entropy: loss.entropy,
        kl: loss.kl.unwrap_or(0.0),
        mean: loss.mean,
        inverse_deviation: loss.inverse_deviation,
        scale: loss.scale,
    };
    let shared = GENERAL_THREADS * size_of::<f64>();
    runner.launch(Launch { unit: Unit::General, kernel: "ppo_loss", blocks, shared }, &operands)?;
    Ok((grads.summed(runner, policy.distribution, steps)?, partials))
}
