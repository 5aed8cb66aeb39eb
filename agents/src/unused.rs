//! Options that would do nothing: each is refused by its name.
//!
//! An option that holds its default does not count as set.

use stpn_core::CellConfig;
use stpn_core::cells::{NormOf, NormalizeState};
use stpn_envs::{Dtype, Space};

use crate::algorithms::AlgorithmConfig;
use crate::config::{EnvFailure, EvaluationConfig, RolloutConfig};
use crate::policy::distribution::GaussianConfig;
use crate::policy::encoder::EncoderConfig;
use crate::rollout::NormalizationConfig;
use crate::supervised::SupervisedConfig;
use crate::{AgentConfig, Error, Result};

/// A key that does nothing, and why.
type Unused = (&'static str, &'static str);

/// The keys of an agent's configuration that do nothing, as far as that does not depend on an environment's spaces.
pub fn keys_of_agent(config: &AgentConfig) -> Vec<&'static str> {
    agent(config).into_iter().map(|(key, _)| key).collect()
}

/// The keys of a supervised task's configuration that do nothing.
pub fn keys_of_task(config: &SupervisedConfig) -> Vec<&'static str> {
    supervised(config).into_iter().map(|(key, _)| key).collect()
}

/// Refuses what does nothing in an agent's configuration.
///
/// # Errors
/// [`Error::Unused`] naming the key, with the reason.
pub fn check_agent(config: &AgentConfig) -> Result<()> {
    refuse(agent(config))
}

/// Refuses what does nothing in the configuration of a supervised task.
///
/// # Errors
/// [`Error::Unused`] naming the key, with the reason.
pub fn check_supervised(config: &SupervisedConfig) -> Result<()> {
    refuse(supervised(config))
}

/// Refuses what does nothing with these observations and actions.
///
/// # Errors
/// [`Error::Unused`] naming the key, with the reason.
pub fn check_spaces(config: &AgentConfig, observations: &Space, actions: &Space) -> Result<()> {
    let mut unused = Vec::new();
    if !matches!(actions, Space::Box { .. }) {
        let problem = "does nothing if actions are discrete: leave it out";
        unused.extend(gaussian(&config.policy.gaussian, problem));
        if config.rollout.noise_correlation != 0.0 {
            unused.push(("rollout.noise_correlation", problem));
        }
    }
    if observations.dtype() != Dtype::U8 {
        unused.extend(bytes_of_numbers(&config.policy.encoder));
    }
    refuse(unused)
}

fn refuse(unused: Vec<Unused>) -> Result<()> {
    match unused.first() {
        Some((key, problem)) => Err(Error::Unused { key: (*key).into(), problem: (*problem).into() }),
        None => Ok(()),
    }
}

fn agent(config: &AgentConfig) -> Vec<Unused> {
    let AgentConfig { rollout, policy, algorithm, normalization, evaluation, .. } = config;
    let mut unused = cell(&policy.cell);
    let defaults = (RolloutConfig::MAX_REPLACEMENTS, NormalizationConfig::default(), EvaluationConfig::default());
    if rollout.env_failure == EnvFailure::Stop && rollout.max_replacements != defaults.0 {
        let problem = "does nothing with rollout.env_failure = \"stop\": set that to \"replace\", or leave this out";
        unused.push(("rollout.max_replacements", problem));
    }
    if normalization.rewards && algorithm.clip_rewards() {
        let problem = "does nothing with algorithm.clip_rewards, which leaves the sign of a reward alone: set one of \
                       them to false";
        unused.push(("normalization.rewards", problem));
    }
    if !(normalization.observations || normalization.rewards) && normalization.clip != defaults.1.clip {
        let problem = "does nothing if neither normalization.observations nor normalization.rewards is set: set \
                       one of them, or leave this out";
        unused.push(("normalization.clip", problem));
    }
    if evaluation.every == 0 {
        let problem = "does nothing with evaluation.every = 0: set that, or leave this out";
        let set = [
            ("evaluation.episodes", evaluation.episodes != defaults.2.episodes),
            ("evaluation.deterministic", evaluation.deterministic != defaults.2.deterministic),
        ];
        unused.extend(set.into_iter().filter(|(_, set)| *set).map(|(key, _)| (key, problem)));
    }
    if let AlgorithmConfig::Ppo(config) = algorithm {
        if config.recompute_states && (config.epochs == 1 || rollout.sequence_length() == rollout.steps) {
            let problem = "does nothing with one epoch, or if sequences are as long as rollouts: set it to false, or \
                           rollout.sequence_length below rollout.steps";
            unused.push(("algorithm.recompute_states", problem));
        }
        if config.recompute_advantages && config.epochs == 1 {
            let problem = "does nothing with one epoch: set it to false, or algorithm.epochs to more";
            unused.push(("algorithm.recompute_advantages", problem));
        }
    }
    unused
}

fn supervised(config: &SupervisedConfig) -> Vec<Unused> {
    let mut unused = cell(&config.policy.cell);
    unused.extend(bytes_of_numbers(&config.policy.encoder));
    unused
}

/// Inputs that are numbers need no rule for bytes.
fn bytes_of_numbers(encoder: &EncoderConfig) -> Option<Unused> {
    let problem = "does nothing if observations are numbers already: leave it out";
    (encoder.bytes() != encoder.default_bytes()).then_some(("policy.encoder.bytes", problem))
}

fn gaussian(config: &GaussianConfig, problem: &'static str) -> impl Iterator<Item = Unused> {
    let default = GaussianConfig::default();
    let set = [
        ("policy.gaussian.std", config.std != default.std),
        ("policy.gaussian.squash", config.squash != default.squash),
        ("policy.gaussian.initial_std", config.initial_std != default.initial_std),
    ];
    set.into_iter().filter(|(_, set)| *set).map(move |(key, _)| (key, problem))
}

fn cell(config: &CellConfig) -> Vec<Unused> {
    let mut unused = Vec::new();
    if let CellConfig::Stpn(config) = config
        && config.normalize_state == NormalizeState::None
        && config.norm_of != NormOf::G
    {
        unused.push(("policy.cell.norm_of", "does nothing with policy.cell.normalize_state = \"none\": leave it out"));
    }
    unused
}
