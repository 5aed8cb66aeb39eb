//! Another learning algorithm for an experiment.

use stpn_agents::algorithms::{A2cConfig, AlgorithmConfig, PpoConfig};
use stpn_agents::config::RolloutConfig;
use stpn_agents::keys;
use toml::{Table, Value};

use crate::error::Kind;
use crate::{Error, Result};

/// Keys that both algorithms understand in the same way: they stay the experiment's.
const SHARED: [&str; 4] = ["gamma", "gae_lambda", "entropy_coefficient", "clip_rewards"];

/// Makes `name` the algorithm of an experiment; nothing changes where it is already.
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
        new.extend(old.get(key).map(|value| (key.to_string(), value.clone())));
    }
    table.insert("algorithm".into(), new.into());
    Ok(())
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
    use stpn_agents::RunConfig;

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
}
