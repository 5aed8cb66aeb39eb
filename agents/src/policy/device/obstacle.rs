//! Which networks a device can collect rollouts of.

use stpn_cuda::maze::OUTPUTS;

use super::trunk::DeviceTrunk;
use crate::policy::ActorCritic;
use crate::policy::distribution::Distribution;

/// Why the kernel cannot collect rollouts of a network.
pub(super) fn obstacle(
    trunk: &DeviceTrunk,
    critic: bool,
    policy: &ActorCritic,
    input_scale: f32,
) -> Option<&'static str> {
    let choices =
        matches!(policy.distribution(), Distribution::Categorical(categorical) if categorical.n + 1 == OUTPUTS);
    let Some(layer) = trunk.alone() else {
        return Some("only recurrent cells without an encoder have a kernel for them");
    };
    if layer.check_maze_rollouts().is_err() {
        Some("the layer and an environment do not fit into the device's shared memory together")
    } else if critic {
        Some("policy.critic is not shared")
    } else if input_scale != 1.0 {
        Some("policy.input_scale is not 1")
    } else if !choices {
        Some("the actions are not four choices")
    } else {
        None
    }
}
