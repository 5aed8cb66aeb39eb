//! What a checkpoint of an older format means today.
//!
//! Format 2 kept a mean return of each of the last updates in which an episode ended, not how many episodes that was;
//! had no `log.json`; and its configuration could set options that did nothing, which are refused today.

use serde_json::{Value, json};

use crate::config::RunConfig;
use crate::saved::Progress;
use crate::{Result, keys, unused};

/// The progress of a checkpoint of format 2. How many episodes ended in an update is not known: each of the last
/// updates is given as many as the run had on average.
pub fn progress(contents: &[u8]) -> serde_json::Result<Progress> {
    let mut progress: Value = serde_json::from_slice(contents)?;
    let count = |key: &str| progress.get(key).and_then(Value::as_u64).unwrap_or(0);
    let episodes = (count("episodes") / count("update").max(1)).max(1);
    if let Some(object) = progress.as_object_mut()
        && let Some(Value::Array(means)) = object.remove("recent_returns")
    {
        let returns = means.iter().filter_map(Value::as_f64).map(|mean| mean * episodes as f64);
        let recent = returns.map(|returns| json!({ "episodes": episodes, "returns": returns }));
        object.insert("recent".into(), recent.collect());
    }
    serde_json::from_value(progress)
}

/// Keys of an agent's network, which that of a supervised task had as well until it got keys of its own.
const OF_AGENTS: [&str; 4] = ["critic", "policy_gain", "gaussian", "encoder"];

/// Whether such a key was left as it came, so that nobody expects anything of it.
fn is_untouched(key: &str, value: &toml::Value) -> bool {
    match key {
        "critic" => value.as_str() == Some("shared"),
        "policy_gain" => value.as_float() == Some(1.0),
        "encoder" => value.get("name").and_then(toml::Value::as_str) == Some("identity"),
        "gaussian" => true,
        _ => false,
    }
}

/// A configuration as it was saved, of any format from 3 on, in today's keys.
pub fn saved(mut table: toml::Table) -> toml::Table {
    if table.contains_key("task")
        && let Some(toml::Value::Table(policy)) = table.get_mut("policy")
    {
        policy.retain(|key, value| key == "encoder" || !is_untouched(key, value));
    }
    table
}

/// The configuration of a checkpoint of format 2, without what did nothing.
pub fn config(mut table: toml::Table) -> Result<RunConfig> {
    let left_out =
        |key: &str| tracing::warn!("{key} did nothing in the run that wrote this checkpoint, and is left out");
    if table.contains_key("task")
        && let Some(toml::Value::Table(policy)) = table.get_mut("policy")
    {
        for key in OF_AGENTS {
            if policy.remove(key).is_some_and(|value| !is_untouched(key, &value)) {
                left_out(&format!("policy.{key}"));
            }
        }
    }
    let unused = match RunConfig::parse(table.clone())? {
        RunConfig::Agent(config) => unused::keys_of_agent(&config),
        RunConfig::Supervised(config) => unused::keys_of_task(&config),
    };
    for key in unused {
        left_out(key);
        keys::remove(&mut table, key);
    }
    RunConfig::from_table(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervised::NetworkConfig;

    #[test]
    fn updates_of_format_2_get_the_episodes_that_the_run_had_on_average() {
        let old =
            br#"{"update": 10, "env_steps": 100, "episodes": 35, "recent_returns": [1.5, 2.0], "best_return": 2.0}"#;
        let progress = progress(old).unwrap();
        assert_eq!(progress.recent.iter().map(|e| (e.episodes, e.returns)).collect::<Vec<_>>(), [(3, 4.5), (3, 6.0)]);
        assert_eq!(progress.recent_return(), Some(1.75));
        assert_eq!((progress.episodes, progress.best_return), (35, Some(2.0)));
    }

    #[test]
    fn a_configuration_of_format_2_loses_what_did_nothing() {
        let text = "[task]\nname = 'art'\n[policy]\nhidden = 5\ncritic = 'separate'\n[policy.cell]\nkind = 'rnn'\n\
                    [policy.encoder]\nname = 'mlp'\nsizes = [7]\n[policy.gaussian]\nsquash = true\n";
        let table: toml::Table = text.parse().unwrap();
        assert!(RunConfig::from_table(table.clone()).unwrap_err().to_string().contains("policy.critic"));
        let config = config(table).unwrap();
        let RunConfig::Supervised(config) = config else { panic!("has a task") };
        assert_eq!(config.policy, NetworkConfig::new(config.policy.cell.clone(), 5));
    }

    #[test]
    fn a_task_saved_with_the_keys_of_an_agent_is_read() {
        let text = "[task]\nname = 'art'\n[policy]\nhidden = 5\nkernel = 'auto'\ncritic = 'shared'\npolicy_gain = 1.0\n\
                    [policy.cell]\nkind = 'rnn'\n[policy.encoder]\nname = 'identity'\nbytes = 'unit'\n\
                    [policy.gaussian]\nstd = 'softplus'\n";
        let table: toml::Table = text.parse().unwrap();
        assert!(RunConfig::from_table(table.clone()).unwrap_err().to_string().contains("critic"));
        RunConfig::from_table(saved(table)).unwrap();
        let separate: toml::Table = text.replace("shared", "separate").parse().unwrap();
        assert!(RunConfig::from_table(saved(separate)).unwrap_err().to_string().contains("critic"));
    }
}
