//! The configuration of an agent's run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_envs::EnvConfig;

use super::rollout::RolloutConfig;
use super::sections::{CheckpointConfig, LogConfig, TrainingConfig, check_sections, one};
use crate::algorithms::AlgorithmConfig;
use crate::limits::{at_least_one, check_sizes};
use crate::optimizer::AdamConfig;
use crate::policy::PolicyConfig;
use crate::rollout::NormalizationConfig;
use crate::{Error, Result, unused};

/// An agent in an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Seed of every random stream.
    #[serde(default = "one")]
    #[schemars(extend("x-sb3" = "seed", "x-cleanrl" = "seed"))]
    pub seed: u64,
    /// How long to train, and on how many threads.
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

impl AgentConfig {
    /// Refuses impossible values, naming the key.
    ///
    /// # Errors
    /// [`Error::Config`] with what is allowed.
    pub fn check(&self) -> Result<()> {
        at_least_one(&[
            ("rollout.environments", self.rollout.environments as u64),
            ("rollout.steps", self.rollout.steps as u64),
            ("rollout.sequence_length", self.rollout.sequence_length.unwrap_or(1) as u64),
            ("evaluation.episodes", self.evaluation.episodes as u64),
        ])?;
        check_sizes(&[
            ("rollout.environments", self.rollout.environments),
            ("rollout.steps", self.rollout.steps),
            ("evaluation.episodes", self.evaluation.episodes),
        ])?;
        self.policy.check()?;
        self.normalization.check()?;
        check_sections(&self.training, self.policy.hidden, &self.checkpoint, &self.log)?;
        if !(0.0..=1e6).contains(&self.rollout.step_timeout) {
            return Err(Error::config("rollout.step_timeout", "must be seconds from 0 (no limit) to 1000000"));
        }
        self.env.validate()?;
        self.algorithm.check(self.rollout.environments * self.rollout.steps)?;
        self.optimizer.check()?;
        unused::check_agent(self)
    }
}
