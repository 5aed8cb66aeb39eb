//! Advantages on a device, from values that came from the host or are there.

use stpn_cuda::cuda::Advantages;
use stpn_cuda::{AdvantageSteps, Extent};

use super::network::{DeviceNetwork, elsewhere};
use super::rollouts::Left;
use crate::Result;
use crate::policy::accelerator::{Kept, KeptAdvantages, RolloutSteps, Values};

/// Generalised advantages of the steps of a rollout.
///
/// # Errors
/// Fails if the device does.
pub(super) fn generalized(network: &DeviceNetwork, values: Values<'_>, steps: &RolloutSteps) -> Result<KeptAdvantages> {
    let (general, device) = (&network.general, &network.device);
    let batch = steps.last_values.len();
    let extent = Extent { steps: steps.rewards.len() / batch.max(1), batch };
    let of_steps = AdvantageSteps {
        gamma: steps.gamma,
        lambda: steps.lambda,
        rewards: &steps.rewards,
        last_values: &steps.last_values,
        terminated: &steps.terminated,
        truncated: &steps.truncated,
        final_values: &steps.final_values,
    };
    let there = match values {
        Values::Here(values) => general.advantages(extent, &device.upload(values)?, &of_steps)?,
        Values::There(kept) => kept.get::<Left>().ok_or_else(elsewhere)?.rollout.advantages(general, &of_steps)?,
    };
    let [advantages, returns] = [&there.advantages, &there.returns].map(|values| device.download(values));
    let kept = Kept::new(there.into_sequences(general, extent, steps.sequence_length)?);
    Ok(KeptAdvantages { kept, advantages: advantages?, returns: returns? })
}

/// What [`generalized`] left there.
///
/// # Errors
/// Fails if that was another device.
pub(super) fn of_advantages(kept: &Kept) -> Result<&Advantages<f32>> {
    kept.get().ok_or_else(elsewhere)
}
