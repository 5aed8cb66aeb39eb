//! Losses on a device, from the outputs of heads that lie there.

use stpn_cuda::cuda::{Advantages, Buffer, General, PpoBatch};
use stpn_cuda::{A2cLoss, A2cSteps, Actions, Extent, OutputGradients, Outputs, PpoLoss, PpoSteps, PpoSums};

use crate::policy::accelerator::{DeviceBehaviour, DeviceLoss, DeviceObjective, DeviceSteps, Losses};
use crate::policy::distribution::{ActionBuffer, Distribution, Gaussian, Std};
use crate::{Error, Result};

/// A family of distributions as the kernels have it.
pub(super) fn distribution(policy: &Distribution) -> stpn_cuda::Distribution {
    match policy {
        Distribution::Categorical(inner) => stpn_cuda::Distribution::choice(inner.n),
        Distribution::MultiCategorical(inner) => stpn_cuda::Distribution::Categorical(inner.counts()),
        Distribution::Bernoulli(inner) => stpn_cuda::Distribution::Bernoulli(inner.n),
        Distribution::Gaussian(inner) => stpn_cuda::Distribution::Gaussian(gaussian(inner)),
    }
}

fn gaussian(inner: &Gaussian) -> stpn_cuda::Gaussian {
    let std = match inner.std() {
        Std::Softplus => stpn_cuda::Std::Softplus { least: Gaussian::MIN_STD },
        Std::StateIndependent => stpn_cuda::Std::StateIndependent,
    };
    stpn_cuda::Gaussian { dims: inner.dims(), std, log_halves: inner.log_halves() }
}

/// A2C's loss as the kernel has it, with these coefficients.
pub(super) fn a2c_loss(loss: &DeviceLoss, [value, entropy, concentration]: [f64; 3]) -> A2cLoss {
    let (mean, inverse_deviation) = loss.standard;
    A2cLoss { value, entropy, concentration, mean, inverse_deviation, scale: loss.scale }
}

/// The sums of A2C's loss over so many steps.
pub(super) fn a2c_sums(loss: &A2cLoss, sums: stpn_cuda::A2cSums, steps: usize) -> Losses {
    let stpn_cuda::A2cSums { policy, value, entropy, concentration } = sums;
    let total = policy + loss.value * value - loss.entropy * entropy + loss.concentration * concentration;
    Losses { steps: steps as f64, total, policy, value, entropy, concentration, ..Losses::default() }
}

/// Actions as the kernels have them.
fn actions(steps: &ActionBuffer) -> Actions<'_, f32> {
    match steps {
        ActionBuffer::Discrete(choices) | ActionBuffer::Choices(choices) => Actions::Choices(choices),
        ActionBuffer::Continuous(draws) => Actions::Draws(draws),
    }
}

/// Which steps count, if not all do.
fn counting(counts: &[u8]) -> Option<&[u8]> {
    counts.contains(&0).then_some(counts)
}

/// The gradient of A2C's loss in the outputs of a policy's heads, and its sums.
///
/// # Errors
/// Fails if the device does, and for another loss.
pub(super) fn a2c(
    general: &General<f32>,
    policy: &stpn_cuda::Distribution,
    outputs: Outputs<'_, Buffer<f32>>,
    loss: &DeviceLoss,
    (&DeviceSteps { actions: taken, counts }, advantages): (&DeviceSteps<'_>, &Advantages<f32>),
) -> Result<(OutputGradients<Buffer<f32>>, Losses)> {
    let DeviceObjective::A2c { value, entropy, concentration } = loss.objective else { return Err(other_loss()) };
    let loss = a2c_loss(loss, [value, entropy, concentration]);
    let steps = A2cSteps { policy, actions: actions(taken), counts: counting(counts) };
    let (grads, sums) = general.a2c_loss(&loss, outputs, &steps, advantages)?;
    let counted = counts.iter().filter(|&&count| count != 0).count();
    Ok((grads, a2c_sums(&loss, sums, counted)))
}

/// Brings the steps of sequences, `[L, B]`, to the device, as PPO's loss reads them.
///
/// # Errors
/// Fails if the device does.
pub(super) fn ppo_batch(
    general: &General<f32>,
    policy: &stpn_cuda::Distribution,
    [steps, batch]: [usize; 2],
    (of_steps, acted): (&DeviceSteps<'_>, &DeviceBehaviour<'_>),
) -> Result<PpoBatch<f32>> {
    let &DeviceSteps { actions: taken, counts } = of_steps;
    let &DeviceBehaviour { log_probs, values, distributions } = acted;
    let (actions, counts) = (actions(taken), counting(counts));
    let of_steps = PpoSteps { policy, actions, log_probs, values, distributions, counts };
    Ok(general.ppo_batch(Extent { steps, batch }, &of_steps)?)
}

/// The gradient of PPO's loss in the outputs of a policy's heads, and its sums.
///
/// # Errors
/// Fails if the device does, and for another loss.
pub(super) fn ppo(
    general: &General<f32>,
    outputs: Outputs<'_, Buffer<f32>>,
    loss: &DeviceLoss,
    (batch, advantages): (&PpoBatch<f32>, &Advantages<f32>),
) -> Result<(OutputGradients<Buffer<f32>>, Losses)> {
    let DeviceObjective::Ppo { clip, value, value_clip, value_error_clamp, entropy, kl } = loss.objective else {
        return Err(other_loss());
    };
    let ((mean, inverse_deviation), scale) = (loss.standard, loss.scale);
    let loss = PpoLoss { clip, value, value_clip, value_error_clamp, entropy, kl, mean, inverse_deviation, scale };
    let (grads, sums) = general.ppo_loss(&loss, outputs, batch, advantages)?;
    let PpoSums { steps, total, policy, value, entropy, concentration, kl, .. } = sums;
    let PpoSums { old_approx_kl, approx_kl, clipped, .. } = sums;
    let sums = Losses { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped };
    Ok((grads, sums))
}

/// The error of the loss of another algorithm.
pub(super) fn other_loss() -> Error {
    Error::config("algorithm.name", "what is on the device is for another algorithm")
}
