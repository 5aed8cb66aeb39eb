//! The loss of A2C over steps with discrete actions, and its gradient in the outputs of the heads.

use crate::runner::{Launch, Plain, Runner, Unit, int};
use crate::spec::GENERAL_THREADS;
use crate::{Error, Extent, Real, Result};

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

/// Steps whose loss A2C computes, N in any one order, e.g. time-major `[L·B]`. Arrays lie on the host.
#[derive(Clone, Copy, Debug)]
pub struct A2cSteps<'a, T> {
    /// Discrete actions that there are.
    pub choices: usize,
    /// `[N]`
    pub actions: &'a [u32],
    /// `[N]` of the actions.
    pub advantages: &'a [T],
    /// `[N]` targets of the values.
    pub returns: &'a [T],
    /// `[N]`, 0 where a step is padding, which has no loss; none: all count.
    pub counts: Option<&'a [u8]>,
}

impl<T> A2cSteps<'_, T> {
    /// Refuses arrays of other lengths, and actions that there are not; `outputs` `[N, choices + 1]` has so many
    /// values.
    pub(crate) fn check(&self, outputs: usize) -> Result<()> {
        check_steps(self.choices, self.actions, self.counts, outputs)?;
        let lens = [("advantages", self.advantages.len()), ("returns", self.returns.len())];
        check_lens(&lens, self.actions.len())
    }
}

/// Refuses arrays of other lengths.
pub(crate) fn check_lens(lens: &[(&'static str, usize)], expected: usize) -> Result<()> {
    match lens.iter().find(|(_, len)| *len != expected) {
        Some(&(what, got)) => Err(Error::Length { what, expected, got }),
        None => Ok(()),
    }
}

/// Refuses to compute a loss of nothing, actions that there are not, and other numbers of counts or outputs.
pub(crate) fn check_steps(choices: usize, actions: &[u32], counts: Option<&[u8]>, outputs: usize) -> Result<()> {
    let steps = actions.len();
    let refuse = |problem: &str| Err(Error::Loss { problem: problem.to_string() });
    if steps == 0 || choices == 0 {
        return refuse("it needs at least one step and one choice");
    }
    if actions.iter().any(|&action| action as usize >= choices) {
        return refuse("an action is none of the choices");
    }
    check_lens(&[("counts", counts.map_or(steps, <[u8]>::len))], steps)?;
    check_lens(&[("outputs", outputs)], steps * (choices + 1))
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
    choices: i32,
    outputs: u64,
    actions: u64,
    advantages: u64,
    returns: u64,
    counts: u64,
    grad: u64,
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

/// Steps as a loss sees them: outputs `[B, T, choices + 1]`, the address of actions `[B, T]`, advantages and returns
/// `[T, B]`, the address of counts `[T, B]` (0: all steps count). Steps in one order are those of one environment.
#[derive(Debug)]
pub(crate) struct LossInputs<'a, A> {
    pub extent: Extent,
    pub choices: usize,
    pub outputs: &'a A,
    pub actions: u64,
    pub advantages: &'a A,
    pub returns: &'a A,
    pub counts: u64,
}

/// The gradient of the outputs `[T, B, choices + 1]`, and the blocks' sums.
pub(crate) fn a2c<T: Real, R: Runner<T>>(
    runner: &R,
    loss: &A2cLoss,
    inputs: &LossInputs<'_, R::Array>,
) -> Result<(R::Array, R::Doubles)> {
    let (Extent { steps, batch }, outputs) = (inputs.extent, inputs.choices + 1);
    let blocks = (steps * batch).div_ceil(GENERAL_THREADS);
    let (grad, partials) = (runner.reserve(steps * batch * outputs)?, runner.reserve_doubles(blocks * SUMS)?);
    let operands = LossOperands {
        steps: int(steps),
        batch: int(batch),
        choices: int(inputs.choices),
        outputs: runner.address(inputs.outputs),
        actions: inputs.actions,
        advantages: runner.address(inputs.advantages),
        returns: runner.address(inputs.returns),
        counts: inputs.counts,
        grad: runner.address(&grad),
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
    Ok((grad, partials))
}
