//! The loss of PPO over steps with discrete actions, and its gradient in the outputs of the heads.

use crate::loss::{check_lens, check_steps};
use crate::runner::{Launch, Plain, Runner, Unit, int, long};
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

/// Steps whose loss PPO computes, N in any one order, e.g. time-major `[L·B]`. Arrays lie on the host.
#[derive(Clone, Copy, Debug)]
pub struct PpoSteps<'a, T> {
    /// Discrete actions that there are.
    pub choices: usize,
    /// `[N]`
    pub actions: &'a [u32],
    /// `[N]` of the actions.
    pub advantages: &'a [T],
    /// `[N]` targets of the values.
    pub returns: &'a [T],
    /// `[N]` log-probabilities of the actions under the policy that acted.
    pub log_probs: &'a [T],
    /// `[N]` values of that policy.
    pub values: &'a [T],
    /// `[N, choices]` logits of that policy, if the divergence from it counts.
    pub logits: Option<&'a [T]>,
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

impl<T> PpoSteps<'_, T> {
    /// Refuses arrays of other lengths, actions that there are not, and logits without a coefficient or the other way
    /// round; `outputs` `[N, choices + 1]` has so many values.
    pub(crate) fn check(&self, loss: &PpoLoss, outputs: usize) -> Result<()> {
        let steps = self.actions.len();
        check_steps(self.choices, self.actions, self.counts, outputs)?;
        let lens = [
            ("advantages", self.advantages.len()),
            ("returns", self.returns.len()),
            ("log_probs", self.log_probs.len()),
            ("values", self.values.len()),
        ];
        check_lens(&lens, steps)?;
        if self.logits.is_some() != loss.kl.is_some() {
            let problem = "the divergence needs its coefficient and the logits of the policy that acted".to_string();
            return Err(Error::Loss { problem });
        }
        check_lens(&[("logits", self.logits.map_or(steps * self.choices, <[T]>::len))], steps * self.choices)
    }
}

/// `PpoOperands` of `kernels/ppo_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct PpoOperands {
    steps: i64,
    choices: i32,
    outputs: u64,
    actions: u64,
    advantages: u64,
    returns: u64,
    log_probs: u64,
    values: u64,
    logits: u64,
    counts: u64,
    grad: u64,
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

/// Checked steps where kernels can reach them; addresses of what has elements of another type, 0 for none.
#[derive(Debug)]
pub(crate) struct PpoInputs<'a, A> {
    pub steps: usize,
    pub choices: usize,
    pub outputs: &'a A,
    pub actions: u64,
    pub advantages: &'a A,
    pub returns: &'a A,
    pub log_probs: &'a A,
    pub values: &'a A,
    pub logits: Option<&'a A>,
    pub counts: u64,
}

/// The gradient of the outputs `[N, choices + 1]`, and the blocks' sums.
pub(crate) fn ppo<T: Real, R: Runner<T>>(
    runner: &R,
    loss: &PpoLoss,
    inputs: &PpoInputs<'_, R::Array>,
) -> Result<(R::Array, R::Doubles)> {
    let (steps, outputs) = (inputs.steps, inputs.choices + 1);
    let blocks = steps.div_ceil(GENERAL_THREADS);
    let (grad, partials) = (runner.reserve(steps * outputs)?, runner.reserve_doubles(blocks * SUMS)?);
    let operands = PpoOperands {
        steps: long(steps),
        choices: int(inputs.choices),
        outputs: runner.address(inputs.outputs),
        actions: inputs.actions,
        advantages: runner.address(inputs.advantages),
        returns: runner.address(inputs.returns),
        log_probs: runner.address(inputs.log_probs),
        values: runner.address(inputs.values),
        logits: inputs.logits.map_or(0, |logits| runner.address(logits)),
        counts: inputs.counts,
        grad: runner.address(&grad),
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
    Ok((grad, partials))
}
