//! Losses on a device, from the outputs of heads that lie there.

use stpn_cuda::cuda::{Buffer, General};
use stpn_cuda::{A2cLoss, A2cSteps, Actions, OutputGradients, Outputs, PpoLoss, PpoSteps, PpoSums};

use crate::Result;
use crate::policy::accelerator::{DeviceLoss, DeviceObjective, DeviceSteps, Losses};
use crate::policy::distribution::{ActionBuffer, Distribution, Gaussian, Std};

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

/// The gradient of a loss in the outputs of a policy's heads, and its sums.
///
/// # Errors
/// Fails if the device does.
pub(super) fn of_steps(
    general: &General<f32>,
    policy: &stpn_cuda::Distribution,
    outputs: Outputs<'_, Buffer<f32>>,
    loss: &DeviceLoss,
    steps: &DeviceSteps<'_>,
) -> Result<(OutputGradients<Buffer<f32>>, Losses)> {
    let DeviceSteps { actions, advantages, returns, log_probs, values, distributions, counts } = *steps;
    let actions = match actions {
        ActionBuffer::Discrete(choices) | ActionBuffer::Choices(choices) => Actions::Choices(choices),
        ActionBuffer::Continuous(draws) => Actions::Draws(draws),
    };
    let counting = counts.iter().filter(|&&count| count != 0).count();
    let counts = (counting < counts.len()).then_some(counts);
    match loss.objective {
        DeviceObjective::A2c { value, entropy, concentration } => {
            let loss = a2c_loss(loss, [value, entropy, concentration]);
            let steps = A2cSteps { policy, actions, advantages, returns, counts };
            let (grads, sums) = general.a2c_loss(&loss, outputs, &steps)?;
            Ok((grads, a2c_sums(&loss, sums, counting)))
        }
        DeviceObjective::Ppo { clip, value, value_clip, value_error_clamp, entropy, kl } => {
            let ((mean, inverse_deviation), scale) = (loss.standard, loss.scale);
            let loss =
                PpoLoss { clip, value, value_clip, value_error_clamp, entropy, kl, mean, inverse_deviation, scale };
            let distributions = kl.map(|_| distributions);
            let steps = PpoSteps { policy, actions, advantages, returns, log_probs, values, distributions, counts };
            let (grads, sums) = general.ppo_loss(&loss, outputs, &steps)?;
            let PpoSums { steps, total, policy, value, entropy, concentration, kl, .. } = sums;
            let PpoSums { old_approx_kl, approx_kl, clipped, .. } = sums;
            let sums =
                Losses { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped };
            Ok((grads, sums))
        }
    }
}
