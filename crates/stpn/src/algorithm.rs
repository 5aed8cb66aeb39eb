//! Another learning algorithm for an experiment.

use stpn_agents::algorithms::{A2cConfig, AlgorithmConfig, PpoConfig};
use stpn_agents::config::normal::A2C_ENVIRONMENTS;
use stpn_agents::config::{CheckpointConfig, EvaluationConfig, LogConfig, RolloutConfig, TrainingConfig};
use stpn_agents::keys;
use toml::{Table, Value};

use crate::error::Kind;
use crate::{Error, Result};

/// Keys that algorithms understand in the same way: they stay the experiment's, if the new algorithm has them.
const SHARED: [&str; 4] = ["gamma", "gae_lambda", "entropy_coefficient", "clip_rewards"];

/// Makes `name` the algorithm of an experiment; nothing changes if it is already.
///
/// # Errors
/// [`Error::Unknown`]; [`Error::Unfit`] for a supervised task.
pub fn replace(table: &mut Table, name: &str) -> Result<()> {
    let Some(Value::Table(old)) = table.get("algorithm").cloned() else {
        return Err(Error::Unfit(format!("algorithm {name}: the experiment is a supervised task")));
    };
    if old.get("name").and_then(Value::as_str) == Some(name) {
        return Ok(());
    }
    let config = match name {
        "a2c" => AlgorithmConfig::A2c(A2cConfig::default()),
        // A quarter of a rollout in a minibatch, and four epochs.
        "ppo" => AlgorithmConfig::Ppo(PpoConfig {
            epochs: 4,
            minibatch_size: (rollout(table) / 4).max(1),
            ..PpoConfig::default()
        }),
        _ => {
            let hint = "there are: a2c, ppo".into();
            return Err(Error::Unknown { kind: Kind::Algorithm, name: name.into(), hint });
        }
    };
    let mut new = Table::try_from(config).map_err(Error::text)?;
    for key in SHARED {
        if let (Some(kept), Some(value)) = (new.get_mut(key), old.get(key)) {
            kept.clone_from(value);
        }
    }
    let before = rollout(table);
    table.insert("algorithm".into(), new.into());
    if name == "a2c" {
        shorten_rollouts(table, before);
    }
    Ok(())
}

/// Gives A2C, which takes one gradient step per rollout, the short rollouts of its defaults; a rollout had `before` steps
/// until now. Whatever is counted in updates still covers as many environment steps.
fn shorten_rollouts(table: &mut Table, before: usize) {
    if let Some(Value::Table(rollout)) = table.get_mut("rollout") {
        for key in ["environments", "steps", "sequence_length"] {
            rollout.remove(key);
        }
    }
    let after = A2C_ENVIRONMENTS * RolloutConfig::default().steps;
    let (training, log) = (TrainingConfig::default(), LogConfig::default());
    for (key, default) in [
        ("training.updates", training.updates),
        ("training.warmup_updates", training.warmup_updates),
        ("evaluation.every", EvaluationConfig::default().every),
        ("checkpoint.every", CheckpointConfig::default().every),
        ("log.every", log.every),
        ("log.histograms_every", log.histograms_every),
    ] {
        let updates = keys::get(table, key).and_then(Value::as_integer).map_or(default, |updates| updates as u64);
        let updates = updates.saturating_mul(before as u64).div_ceil(after as u64);
        keys::set(table, key, Value::Integer(i64::try_from(updates).unwrap_or(i64::MAX)));
    }
}

/// Steps of a rollout.
fn rollout(table: &Table) -> usize {
    let rollout = RolloutConfig::default();
    let number = |key, default| keys::get(table, key).and_then(Value::as_integer).map_or(default, |n| n as usize);
    number("rollout.environments", rollout.environments).saturating_mul(number("rollout.steps", rollout.steps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::PRESETS;
    use stpn_agents::{AgentConfig, RunConfig};

    #[test]
    fn every_experiment_takes_either_algorithm_and_keeps_its_discounts() {
        for preset in PRESETS.iter().filter(|preset| preset.feature.is_none()) {
            for name in ["a2c", "ppo"] {
                let mut table = preset.table().unwrap();
                let Some(gamma) = table.get("algorithm").and_then(|algorithm| algorithm.get("gamma")).cloned() else {
                    assert!(replace(&mut table, name).is_err(), "{}: supervised", preset.name);
                    continue;
                };
                replace(&mut table, name).unwrap();
                let RunConfig::Agent(config) = RunConfig::from_table(table).unwrap() else { panic!("an agent's") };
                assert_eq!((config.algorithm.name(), Some(config.algorithm.gamma())), (name, gamma.as_float()));
            }
        }
        let mut table = PRESETS[0].table().unwrap();
        assert!(replace(&mut table, "dqn").unwrap_err().to_string().contains("a2c, ppo"));
    }

    /// A2C had PPO's rollouts of thousands of steps, and so 150 gradient steps in a whole run.
    #[test]
    fn a2c_hardly_took_a_gradient_step() {
        for preset in PRESETS.iter().filter(|preset| preset.feature.is_none()) {
            let resolved = |name: Option<&str>| {
                let mut table = preset.table().unwrap();
                if let Some(name) = name {
                    replace(&mut table, name).unwrap();
                }
                match RunConfig::from_table(table).unwrap() {
                    RunConfig::Agent(config) => Some(config),
                    RunConfig::Supervised(_) => None,
                }
            };
            let is_ppo = |config: &AgentConfig| config.algorithm.name() == "ppo";
            let Some(ppo) = resolved(None).filter(is_ppo) else { continue };
            let a2c = resolved(Some("a2c")).unwrap();
            let steps = |config: &AgentConfig| (config.rollout.environments * config.rollout.steps) as u64;
            assert_eq!(steps(&a2c), 64, "{}", preset.name);
            let of = |config: &AgentConfig, updates: u64| updates * steps(config);
            for updates in [
                |config: &AgentConfig| config.training.updates,
                |config: &AgentConfig| config.evaluation.every,
                |config: &AgentConfig| config.checkpoint.every,
                |config: &AgentConfig| config.log.every,
            ] {
                let (before, after) = (of(&ppo, updates(&ppo)), of(&a2c, updates(&a2c)));
                assert!((before..before + 64).contains(&after), "{}: {before} {after}", preset.name);
            }
        }
    }
}
