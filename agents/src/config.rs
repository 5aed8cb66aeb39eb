//! The configuration of a run: one typed value, from which the run can be repeated.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stpn_core::{CellConfig, Kernel, NUMERICS};
use stpn_envs::EnvConfig;
use stpn_envs::registry::missing_feature;

use crate::algorithms::AlgorithmConfig;
use crate::limits::{at_least_one, check_sizes};
use crate::optimizer::AdamConfig;
use crate::policy::PolicyConfig;
use crate::policy::encoder::EncoderConfig;
use crate::rollout::NormalizationConfig;
use crate::saved::Progress;
use crate::supervised::SupervisedConfig;
use crate::{Error, Result, keys, unused};

/// What stands before the number of the arithmetic in the first line of a written configuration.
const NUMERICS_LINE: &str = "# numerics ";

/// Everything that determines a run's result, and how it is logged and saved.
///
/// In TOML the section `task` makes it a supervised one, `env` an agent's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub enum RunConfig {
    /// An agent in an environment.
    Agent(AgentConfig),
    /// A network on a supervised task.
    Supervised(SupervisedConfig),
}

/// An agent in an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Seed of every random stream.
    #[serde(default = "one")]
    pub seed: u64,
    /// How long to train, and on how many threads.
    #[serde(default)]
    pub training: TrainingConfig,
    /// The environment.
    pub env: EnvConfig,
    /// How experience is collected.
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

/// How long to train, and on how many threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Updates of the run, warm-up included. An update of a supervised task is one epoch: one pass over its data.
    pub updates: u64,
    /// First updates that collect experience but do not learn; agents only.
    pub warmup_updates: u64,
    /// Worker threads; 0 = one per core. The result does not depend on it.
    pub threads: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self { updates: 1000, warmup_updates: 0, threads: 0 }
    }
}

/// How experience is collected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutConfig {
    /// Parallel environments B.
    pub environments: usize,
    /// Steps T that each environment takes per update.
    pub steps: usize,
    /// Longest sequence of back-propagation through time; absent = all T steps.
    #[serde(default)]
    pub sequence_length: Option<usize>,
    /// What to do where an environment fails, panics or returns what is not finite.
    #[serde(default)]
    pub env_failure: EnvFailure,
    /// With `env_failure = "replace"`: environments replaced over the whole run, beyond which it stops after all.
    #[serde(default = "max_replacements")]
    pub max_replacements: u64,
    /// Seconds that one call into an environment may take. One that takes longer hangs: the run then ends with a
    /// checkpoint of its last good state, whatever `env_failure` says, since a thread cannot be stopped. 0 = no limit.
    #[serde(default = "five_minutes")]
    pub step_timeout: f64,
    /// Sum gradients in an order that does not depend on how many processes share the environments: bit for bit the
    /// same result on 1, 2, 4 … of them, at the price of more exchange and of smaller blocks.
    #[serde(default)]
    pub canonical_sums: bool,
}

/// What to do where an environment fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvFailure {
    /// Stop, with a checkpoint of the state before the update.
    #[default]
    Stop,
    /// Put a new environment in its place and mark the episode truncated.
    Replace,
}

impl RolloutConfig {
    /// Replacements of environments where nothing else is said.
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

/// Evaluation during training: between updates, on episodes and random streams of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Updates between evaluations; 0 = none. Beside update k, where it is due, the policy after k − 1 is evaluated.
    /// With evaluations, the best checkpoint is the one that evaluates best.
    pub every: u64,
    /// Episodes of one evaluation, the same ones every time.
    pub episodes: usize,
    /// Take the most probable action in place of a sample.
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

/// When checkpoints are written and which are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Updates between checkpoints; the last update always writes one.
    pub every: u64,
    /// How many of the newest to keep, beside the best.
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every: 100, keep: 3 }
    }
}

/// What is logged how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Updates between entries of `metrics.jsonl` and TensorBoard: each is of all updates since the last one, with
    /// every episode of the same weight. Evaluations are written when they are made.
    pub every: u64,
    /// Updates between histograms of parameters and fast weights.
    pub histograms_every: u64,
    /// Inputs left out of the energy (the maze leaves out its reward input).
    pub energy_skip_inputs: Vec<usize>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { every: 1, histograms_every: 50, energy_skip_inputs: Vec::new() }
    }
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> &$type {
                match self {
                    Self::Agent(config) => &config.$name,
                    Self::Supervised(config) => &config.$name,
                }
            }

            $(#[$doc])*
            pub fn $name_mut(&mut self) -> &mut $type {
                match self {
                    Self::Agent(config) => &mut config.$name,
                    Self::Supervised(config) => &mut config.$name,
                }
            }
        )*
    };
}

/// What every run has.
impl RunConfig {
    sections! {
        /// Seed of every random stream.
        seed, seed_mut: u64;
        /// How long to train, and on how many threads.
        training, training_mut: TrainingConfig;
        /// The optimiser.
        optimizer, optimizer_mut: AdamConfig;
        /// When checkpoints are written and which are kept.
        checkpoint, checkpoint_mut: CheckpointConfig;
        /// What is logged how often.
        log, log_mut: LogConfig;
    }
}

macro_rules! network {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> &$type {
                match self {
                    Self::Agent(config) => &config.policy.$name,
                    Self::Supervised(config) => &config.policy.$name,
                }
            }

            $(#[$doc])*
            pub fn $name_mut(&mut self) -> &mut $type {
                match self {
                    Self::Agent(config) => &mut config.policy.$name,
                    Self::Supervised(config) => &mut config.policy.$name,
                }
            }
        )*
    };
}

/// What every network has.
impl RunConfig {
    network! {
        /// Units of the recurrent layer.
        hidden, hidden_mut: usize;
        /// Which path sequences take.
        kernel, kernel_mut: Kernel;
        /// From observations to the recurrent layer's input.
        encoder, encoder_mut: EncoderConfig;
        /// The recurrent layer.
        cell, cell_mut: CellConfig;
    }
}

impl RunConfig {
    /// Name of the environment or of the supervised task.
    pub fn experiment(&self) -> &str {
        match self {
            Self::Agent(config) => config.env.name(),
            Self::Supervised(config) => config.task.name(),
        }
    }

    /// True where nothing is left to do.
    pub fn finished(&self, progress: &Progress) -> bool {
        match self {
            Self::Agent(config) => progress.update >= config.training.updates,
            Self::Supervised(config) => config.finished(progress),
        }
    }

    /// The agent's configuration.
    ///
    /// # Errors
    /// [`Error::Config`] where this is a supervised task's.
    pub fn agent(&self) -> Result<&AgentConfig> {
        match self {
            Self::Agent(config) => Ok(config),
            Self::Supervised(config) => {
                let problem = format!("`{}` is a supervised task and has no environment", config.task.name());
                Err(Error::config("task", problem))
            }
        }
    }

    /// Refuses impossible values, naming the key.
    ///
    /// # Errors
    /// [`Error::Config`] with what is allowed.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Agent(config) => config.check(),
            Self::Supervised(config) => config.check(),
        }
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// [`Error::Config`] where a value has no TOML form (a number beyond 2⁶³).
    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string_pretty(self).map_err(|error| Error::config("(whole)", error.to_string()))?;
        Ok(format!("{NUMERICS_LINE}{NUMERICS}\n{text}"))
    }

    /// The number of the arithmetic in the first line of a configuration that [`RunConfig::to_toml`] wrote; 0 in older
    /// ones.
    pub fn numerics_of(toml: &str) -> u32 {
        let line = toml.lines().next().and_then(|line| line.strip_prefix(NUMERICS_LINE));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Every key with its value, dotted.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn keys(&self) -> Result<Vec<(String, toml::Value)>> {
        let table = toml::Table::try_from(self).map_err(|error| Error::config("(whole)", error.to_string()))?;
        Ok(keys::flat(&table))
    }

    /// The schedules that end where the run is planned to end.
    pub fn schedules_of_its_length(&self) -> Vec<&'static str> {
        let mut schedules = vec![("optimizer.learning_rate", self.optimizer().learning_rate)];
        if let Self::Agent(config) = self {
            schedules.extend(config.algorithm.schedules());
        }
        schedules.into_iter().filter(|(_, schedule)| schedule.ends_with_the_run()).map(|(key, _)| key).collect()
    }

    /// Reads a configuration from TOML.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key, with the allowed values.
    pub fn from_table(table: toml::Table) -> Result<Self> {
        let config = Self::parse(table)?;
        config.check()?;
        Ok(config)
    }

    /// [`RunConfig::from_table`] without a look at the values.
    pub(crate) fn parse(table: toml::Table) -> Result<Self> {
        Ok(match (table.contains_key("task"), table.contains_key("env")) {
            (true, false) => Self::Supervised(keys::read(table)?),
            (false, true) => {
                // Asked first: to the reader, what this build leaves out does not exist.
                let name = table.get("env").and_then(|env| env.get("name")).and_then(toml::Value::as_str);
                if let Some((name, feature)) = name.and_then(|name| Some((name, missing_feature(name)?))) {
                    return Err(stpn_envs::Error::NotBuilt { name: name.into(), feature }.into());
                }
                Self::Agent(keys::read(table)?)
            }
            (true, true) => return Err(Error::config("task", "excludes `env`: a run has one of the two")),
            (false, false) => return Err(Error::config("env", "is missing (or `task`, for a supervised task)")),
        })
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

/// Refuses impossible values in the sections that every run has.
pub(crate) fn check_sections(
    training: &TrainingConfig,
    hidden: usize,
    checkpoint: &CheckpointConfig,
    log: &LogConfig,
) -> Result<()> {
    at_least_one(&[
        ("training.updates", training.updates),
        ("policy.hidden", hidden as u64),
        ("checkpoint.every", checkpoint.every),
        ("checkpoint.keep", checkpoint.keep as u64),
        ("log.every", log.every),
        ("log.histograms_every", log.histograms_every),
    ])
}

pub(crate) fn one() -> u64 {
    1
}

fn max_replacements() -> u64 {
    RolloutConfig::MAX_REPLACEMENTS
}

fn five_minutes() -> f64 {
    300.0
}
