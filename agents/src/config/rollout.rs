//! How experience is collected.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How experience is collected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutConfig {
    /// Parallel environments B.
    #[schemars(range(min = 1), extend("x-sb3" = "n_envs", "x-cleanrl" = "num_envs"))]
    pub environments: usize,
    /// Steps T that each environment takes per update.
    #[schemars(range(min = 1), extend("x-sb3" = "n_steps", "x-cleanrl" = "num_steps"))]
    pub steps: usize,
    /// Longest sequence, in steps, for back-propagation through time; not set = the whole rollout.
    pub sequence_length: Option<usize>,
    /// Correlation of the noise of successive continuous actions in rollouts, from 0 to below 1: with more of it, agents
    /// explore in longer moves. Policies learn as if draws were independent. Evaluations draw independently.
    pub noise_correlation: f64,
    /// What to do if an environment fails, panics or returns a number that is not finite.
    pub env_failure: EnvFailure,
    /// With `env_failure = "replace"`: how many environments may be replaced in the whole run; one more stops
    /// it.
    pub max_replacements: u64,
    /// Seconds that one call into an environment may take. One that takes longer hangs: the run then ends with a
    /// checkpoint of its last good state, whatever `env_failure` says, since a thread cannot be stopped. 0 = no limit.
    pub step_timeout: f64,
    /// Sum gradients in an order that does not depend on how many processes share the environments: bit for bit the
    /// same result on 1, 2, 4 … of them, at the price of more exchange and of smaller blocks.
    pub canonical_sums: bool,
}

impl Default for RolloutConfig {
    /// For PPO; A2C has fewer environments, see [`crate::config::normal::DEPENDENT`].
    fn default() -> Self {
        Self {
            environments: 32,
            steps: 32,
            sequence_length: None,
            noise_correlation: 0.0,
            env_failure: EnvFailure::Stop,
            max_replacements: Self::MAX_REPLACEMENTS,
            step_timeout: 300.0,
            canonical_sums: false,
        }
    }
}

/// What to do if an environment fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvFailure {
    /// Stop, with a checkpoint of the state before the update.
    #[default]
    Stop,
    /// Put a new environment in its place and mark the episode truncated.
    Replace,
}

impl RolloutConfig {
    /// Replacements of environments if nothing else is said.
    pub(crate) const MAX_REPLACEMENTS: u64 = 100;

    /// The longest that one call into an environment may take.
    pub fn step_timeout(&self) -> Option<Duration> {
        (self.step_timeout > 0.0).then(|| Duration::from_secs_f64(self.step_timeout))
    }

    /// Steps between stored recurrent states.
    pub fn sequence_length(&self) -> usize {
        self.sequence_length.unwrap_or(self.steps).min(self.steps)
    }

    /// Environments that one worker steps: fixed by the number of environments alone, so that results do not depend
    /// on the number of threads.
    pub fn group_size(&self) -> usize {
        match self.canonical_sums {
            // The same groups whatever share of the environments this process has, if it is a whole number of them.
            true if self.environments.is_multiple_of(4) => 4,
            true => 1,
            false => self.environments.div_ceil(8).clamp(1, 16),
        }
    }
}
