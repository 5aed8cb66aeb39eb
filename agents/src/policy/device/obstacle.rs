//! Which networks and environments a device can collect rollouts of.

use stpn_cuda::Dense;
use stpn_cuda::rollout::ENCODER_LAYERS;

use super::trunk::DeviceTrunk;
use crate::Error;
use crate::policy::ActorCritic;
use crate::policy::distribution::Distribution;

/// The error of an environment without a kernel.
pub(super) fn no_kernel() -> Error {
    Error::config("env", "there is no kernel for this environment: set training.device to \"cpu\"")
}

/// Why the kernels cannot collect rollouts of a network.
pub(super) fn obstacle(
    trunk: &DeviceTrunk,
    critic: bool,
    policy: &ActorCritic,
    input_scale: f32,
) -> Option<&'static str> {
    let Some(layer) = trunk.recurrent() else {
        return Some("only recurrent cells have a kernel for them");
    };
    let Some(encoder) = trunk.dense_layers().filter(|layers| layers.len() <= ENCODER_LAYERS) else {
        return Some("the encoder has convolutions, or more than four layers");
    };
    let encoder: Vec<Dense> = encoder.iter().map(|layer| *layer.layer()).collect();
    if !matches!(policy.distribution(), Distribution::Categorical(_) | Distribution::MultiCategorical(_)) {
        return Some("the actions are not choices");
    }
    if critic {
        Some("policy.critic is not shared")
    } else if input_scale != 1.0 {
        Some("policy.input_scale is not 1")
    } else if layer.check_rollouts(policy.distribution().len(), &encoder).is_err() {
        Some("the layer and an environment do not fit into the device's shared memory together")
    } else {
        None
    }
}
