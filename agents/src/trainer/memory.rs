//! The memory of a training.

use candle_core::{DType, Device};
use stpn_envs::vector::MakeEnv;
use stpn_envs::{Dtype, Env};

use crate::Result;
use crate::algorithms::AlgorithmConfig;
use crate::config::{AgentConfig, ComputeDevice};
use crate::memory::{MADE, NUMBER, Need};
use crate::policy::ActorCritic;

/// Environment steps of an update up to which a rollout is not worth an estimate.
const SMALL_ROLLOUT: usize = 1 << 20;

/// Refuses a training of an agent that the machine has no memory for.
///
/// # Errors
/// [`Error::Config`] naming the key that asks for most, and if the environment cannot be made.
pub(super) fn check(config: &AgentConfig, make: &MakeEnv<'_>) -> Result<()> {
    let rollout = &config.rollout;
    let small = rollout.environments.saturating_mul(rollout.steps) <= SMALL_ROLLOUT;
    if small && rollout.environments <= MADE && config.policy.hidden <= MADE {
        return Ok(());
    }
    need(config, &*make(0)?)?.check()
}

/// What a training in such environments needs.
fn need(config: &AgentConfig, env: &dyn Env) -> Result<Need> {
    let rollout = &config.rollout;
    let (environments, steps) = (rollout.environments as f64, rollout.steps as f64);
    let (observations, actions) = (env.observation_space(), env.action_space());
    let policy = ActorCritic::new(&config.policy, observations, actions, config.seed, DType::F32, &Device::Cpu)?;
    let (parameters, state) = (policy.parameters().count() as f64, policy.state_len() as f64);
    let element = if observations.dtype() == Dtype::U8 { 1.0 } else { NUMBER };
    let segments = (rollout.steps.div_ceil(rollout.sequence_length())) as f64;
    let on_device = config.training.device != ComputeDevice::Cpu;
    let blocks = match config.algorithm {
        AlgorithmConfig::Ppo(_) => 1.0,
        _ if on_device => 1.0,
        // A gradient each, until they are summed.
        _ => (environments / rollout.group_size() as f64) * segments,
    };
    let mut need = Need::default();
    let most = if rollout.steps > rollout.environments { "rollout.steps" } else { "rollout.environments" };
    // Values twice, two moments of Adam, and all of it again as it was before the update.
    need.bytes("policy.hidden", NUMBER * parameters * 7.0);
    // Present, final and saved state, and one before every training sequence.
    need.bytes(most, NUMBER * (parameters * blocks + environments * state * (3.0 + segments)));
    let numbers = policy.distribution().len() + policy.distribution().action_len() + 5;
    let step = element * observations.len() as f64 + NUMBER * numbers as f64;
    need.bytes(most, environments * steps * step);
    if on_device {
        // All sequences of a rollout at once, to bring them there; as numbers those of a gradient, and of a training
        // sequence if they are known in advance or gone through again.
        let known = env.ignores_actions() || env.echoes_actions().is_some();
        let together = match &config.algorithm {
            AlgorithmConfig::Ppo(config) if known || config.recompute_states || config.recompute_advantages => {
                (environments * rollout.sequence_length() as f64).max(config.minibatch_size as f64)
            }
            AlgorithmConfig::Ppo(config) => config.minibatch_size as f64,
            AlgorithmConfig::A2c(_) => environments * steps,
        };
        need.bytes(most, environments * steps * step + together * NUMBER * observations.features() as f64);
    }
    Ok(need)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;

    #[test]
    fn going_through_a_rollout_again_on_a_device_was_not_counted() {
        let needed = |device: &str, algorithm: &str| {
            let text = format!(
                "env = {{ name = 'cartpole' }}\npolicy = {{ hidden = 8, cell = 'lstm' }}
                 training = {{ device = '{device}' }}
                 algorithm = {{ name = 'ppo', minibatch_size = 64, epochs = 4, {algorithm} }}
                 rollout = {{ environments = 100, steps = 32, sequence_length = 16 }}"
            );
            let config: RunConfig = RunConfig::from_table(text.parse().unwrap()).unwrap();
            let config = config.agent().unwrap();
            need(config, &*config.env.make().unwrap()).unwrap().total()
        };
        let plain = "clip = 0.2";
        for again in ["recompute_states = true", "recompute_advantages = true"] {
            assert!(needed("cuda", again) > needed("cuda", plain), "{again}");
            assert_eq!(needed("cpu", again), needed("cpu", plain), "{again}");
        }
    }
}
