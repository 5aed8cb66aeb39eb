//! The configuration of an agent's run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_envs::EnvConfig;

use super::rollout::RolloutConfig;
use super::sections::{CheckpointConfig, LogConfig, TrainingConfig, one};
use crate::algorithms::AlgorithmConfig;
use crate::optimizer::AdamConfig;
use crate::policy::PolicyConfig;
use crate::rollout::NormalizationConfig;
use crate::saved::Progress;

/// An agent in an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Seed of every random stream.
    #[serde(default = "one")]
    #[schemars(extend("x-sb3" = "seed", "x-cleanrl" = "seed"))]
    pub seed: u64,
    /// How long to train, and on what.
    #[serde(default)]
    pub training: TrainingConfig,
    /// The environment.
    pub env: EnvConfig,
    /// How experience is collected.
    #[serde(default)]
    pub rollout: RolloutConfig,
    /// The network.
    pub policy: PolicyConfig,
    /// The learning algorithm.
    pub algorithm: AlgorithmConfig,
    /// The optimiser.
    #[serde(default)]
    pub optimizer: AdamConfig,
    /// Normalisation of observations and rewards.
    #[serde(default)]
    pub normalization: NormalizationConfig,
    /// Evaluation during training.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// When checkpoints are written and which are kept.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What is logged how often.
    #[serde(default)]
    pub log: LogConfig,
}

impl AgentConfig {
    /// True after the last update, or if the return that is aimed at is reached.
    pub fn finished(&self, progress: &Progress) -> bool {
        let reached = self.training.target_return.is_some_and(|target| progress.has_reached(target));
        progress.update >= self.training.updates || reached
    }
}

/// Evaluation during training: between updates, on episodes and random streams of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Updates between evaluations (Stable-Baselines3 counts steps); 0 = none. The one due at update k runs beside it, on
    /// the policy after update k − 1. If there are evaluations, the best checkpoint is the one that evaluates best.
    #[schemars(extend("x-sb3" = "eval_freq"))]
    pub every: u64,
    /// Episodes of one evaluation, the same ones every time.
    #[schemars(extend("x-sb3" = "n_eval_episodes"))]
    pub episodes: usize,
    /// Take the most probable action in place of a sample.
    #[schemars(extend("x-sb3" = "deterministic"))]
    pub deterministic: bool,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { every: 0, episodes: 20, deterministic: false }
    }
}

impl EvaluationConfig {
    /// Whether there is an evaluation beside that update.
    pub fn is_due(&self, update: u64) -> bool {
        self.every > 0 && update.is_multiple_of(self.every)
    }
}
