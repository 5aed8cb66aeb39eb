//! Changes of a run's configuration on resuming: which there are, which can be made, and their record.
//!
//! `changes.jsonl` has a line for every resumption that changed something. The last line of a checkpoint's update or
//! later tells with what the run goes on from there: a run that is killed before its next checkpoint loses no change.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::checkpoint::{saved_config, staging};
use crate::config::RunConfig;
use crate::{Error, Result};

/// The run directory's file with the resolved configuration.
pub(super) const CONFIG: &str = "config.toml";

/// The record's name in a run directory.
const CHANGES: &str = "changes.jsonl";

/// A key whose value is another than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The key, dotted.
    pub key: String,
    /// The value before; none if it was not set.
    pub from: Option<Value>,
    /// The value now; none if it is not set.
    pub to: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {} in place of {}", self.key, shown(self.to.as_ref()), shown(self.from.as_ref()))
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("none".to_string(), ToString::to_string)
}

/// The changes in words. One of a number to a schedule, or back, is one change and not four.
pub fn told(changes: &[Change]) -> Vec<String> {
    let parts = |key: &str| ["initial", "last", "horizon"].map(|part| format!("{key}.{part}"));
    let of = |key: &String| changes.iter().find(|change| change.key == *key);
    // A key that was a number on one side and has parts on the other.
    let turned: Vec<&Change> =
        changes.iter().filter(|change| parts(&change.key).iter().any(|part| of(part).is_some())).collect();
    let is_part = |key: &str| turned.iter().any(|change| parts(&change.key).iter().any(|part| part == key));
    let side = |change: &Change, value: fn(&Change) -> Option<&Value>| match value(change) {
        Some(number) => number.to_string(),
        None => {
            let [initial, last, horizon] = parts(&change.key).map(|part| of(&part).and_then(value).cloned());
            let end = horizon.map_or(String::new(), |horizon| format!(" within {horizon} steps"));
            format!("{} → {}{end}", shown(initial.as_ref()), shown(last.as_ref()))
        }
    };
    let words = changes.iter().filter(|change| !is_part(&change.key)).map(|change| match turned.contains(&change) {
        true => {
            let (to, from) = (side(change, |change| change.to.as_ref()), side(change, |change| change.from.as_ref()));
            format!("{} = {to} in place of {from}", change.key)
        }
        false => change.to_string(),
    });
    words.collect()
}

/// What one resumption changed.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Updates done by then.
    update: u64,
    changes: Vec<Change>,
    /// The whole configuration from then on.
    config: String,
}

/// Why a key below a prefix cannot change in a run; none if it can. The first prefix that fits counts.
const RULES: [(&str, Option<&str>); 24] = [
    ("seed", Some("every random stream of the run began with it")),
    ("training.warmup_updates", Some("a warm-up is at the beginning of a run")),
    ("training", None),
    ("env", Some("the saved environments were made with it")),
    ("task.patience", None),
    ("task.validate_every", None),
    ("task.batch_size", None),
    ("task.test_sequences", None),
    ("task.test_intervals", None),
    ("task", Some("the run's data were made with it")),
    ("rollout.environments", Some("the saved environments are as many")),
    ("rollout.canonical_sums", Some("the saved environments are grouped by it")),
    ("rollout", None),
    ("policy.kernel", None),
    ("policy", Some("the saved parameters are of that network")),
    ("algorithm.name", Some("what is saved is of that algorithm")),
    ("algorithm.gamma", Some("the saved values are of returns with that discount")),
    ("algorithm.clip_rewards", Some("the saved values are of such rewards")),
    ("algorithm.kl_penalty.target", None),
    ("algorithm.kl_penalty", Some("its coefficient is saved as it was adapted")),
    ("algorithm", None),
    ("normalization", Some("the saved statistics go with it")),
    ("optimizer", None),
    ("", None),
];

/// Why a key cannot change in a run.
fn reason(key: &str) -> Option<&'static str> {
    let within = |prefix: &str| prefix.is_empty() || key == prefix || key.starts_with(&format!("{prefix}."));
    RULES.iter().find(|(prefix, _)| within(prefix)).and_then(|(_, reason)| *reason)
}

/// The keys in which two configurations differ, in order.
///
/// # Errors
/// [`Error::Config`] if a value has no TOML form.
pub fn between(old: &RunConfig, new: &RunConfig) -> Result<Vec<Change>> {
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.keys()?.into_iter().collect(), new.keys()?.into_iter().collect());
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let change = |key: &String| Change { key: key.clone(), from: old.get(key).cloned(), to: new.get(key).cloned() };
    Ok(keys.into_iter().map(change).filter(|change| change.from != change.to).collect())
}

/// Refuses changes that a run cannot make.
///
/// # Errors
/// [`Error::Config`] naming the key, with the reason.
pub(super) fn check(changes: &[Change]) -> Result<()> {
    let mut refused = changes.iter().filter_map(|change| Some((change, reason(&change.key)?))).collect::<Vec<_>>();
    // Whatever chooses a section's keys is what was changed.
    refused.sort_by_key(|(change, _)| !change.key.ends_with(".name"));
    match refused.first() {
        Some((change, reason)) => {
            let problem = format!("cannot be changed in a run ({change}): {reason}; start a new run with it");
            Err(Error::config(&change.key, problem))
        }
        None => Ok(()),
    }
}

/// Whether a change makes the best so far incomparable: it was measured in another way.
pub(super) fn unlike_evaluations(changes: &[Change]) -> bool {
    let zero = |value: &Option<Value>| value.as_ref().and_then(Value::as_integer) == Some(0);
    changes.iter().any(|change| match change.key.as_str() {
        "evaluation.every" => zero(&change.from) || zero(&change.to),
        key => key.starts_with("evaluation."),
    })
}

/// The configuration that a record says the run goes on with after `update`; none if nothing has changed since.
///
/// # Errors
/// [`Error::RunDirectory`] if the record is damaged, [`Error::Config`] if its configuration is not sound.
pub(super) fn recorded(directory: &Path, update: u64) -> Result<Option<RunConfig>> {
    let path = directory.join(CHANGES);
    let damaged =
        |problem: String| Error::RunDirectory { path: path.clone(), problem: format!("is damaged: {problem}") };
    let mut last = None;
    for line in read(&path)?.lines() {
        let record: Record = serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
        if record.update >= update {
            last = Some(record.config);
        }
    }
    let Some(config) = last else { return Ok(None) };
    let table = config.parse().map_err(|error: toml::de::Error| damaged(error.to_string()))?;
    RunConfig::from_table(saved_config(table)).map(Some)
}

/// Adds to the record what this resumption changed.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub(super) fn record(directory: &Path, update: u64, changes: &[Change], config: &RunConfig) -> Result<()> {
    let path = directory.join(CHANGES);
    let record = Record { update, changes: changes.to_vec(), config: config.to_toml()? };
    let line = serde_json::to_string(&record)
        .map_err(|error| Error::RunDirectory { path: path.clone(), problem: error.to_string() })?;
    staging::replace(&path, (read(&path)? + &line + "\n").as_bytes())
}

fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io("cannot read", path)(error)),
    }
}

/// Reports a `config.toml` that is not the configuration with which the run goes on, and keeps it aside: it is no way
/// to change a run, but somebody's work. Returns where it is kept.
///
/// # Errors
/// [`Error::Io`] if it cannot be kept.
pub(super) fn keep_edited(directory: &Path, config: &RunConfig) -> Result<Option<PathBuf>> {
    let path = directory.join(CONFIG);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    if text == config.to_toml()? {
        return Ok(None);
    }
    let edited = text.parse().map_err(|error: toml::de::Error| Error::config(CONFIG, error.to_string()));
    let differs = match edited.map(saved_config).and_then(RunConfig::parse).and_then(|edited| between(config, &edited))
    {
        Ok(changes) if changes.is_empty() => return Ok(None),
        Ok(changes) => changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Err(error) => error.to_string(),
    };
    let aside = free_name(directory);
    fs::copy(&path, &aside).map_err(Error::io("cannot write", &aside))?;
    tracing::warn!(
        "{} is not what the run's checkpoint was made with: {differs}. The run goes on with the checkpoint's, and the \
         edited file is kept as {}",
        path.display(),
        aside.display()
    );
    Ok(Some(aside))
}

/// `config.toml.edited`, or that with the first number that is free.
fn free_name(directory: &Path) -> PathBuf {
    let numbered = (2..).map(|n| directory.join(format!("{CONFIG}.edited-{n}")));
    let mut names = std::iter::once(directory.join(format!("{CONFIG}.edited"))).chain(numbered);
    names.find(|path| !path.exists()).unwrap_or_else(|| directory.join(format!("{CONFIG}.edited")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_in_place_of_a_schedule_was_three_changes() {
        let change = |key: &str, from: Option<f64>, to: Option<f64>| Change {
            key: key.into(),
            from: from.map(Value::Float),
            to: to.map(Value::Float),
        };
        let changes = [
            change("algorithm.gamma", Some(0.9), Some(0.99)),
            change("optimizer.learning_rate", None, Some(1e-4)),
            change("optimizer.learning_rate.initial", Some(3e-3), None),
            change("optimizer.learning_rate.last", Some(1e-5), None),
        ];
        let expected =
            ["algorithm.gamma = 0.99 in place of 0.9", "optimizer.learning_rate = 0.0001 in place of 0.003 → 0.00001"];
        assert_eq!(told(&changes), expected);
    }

    #[test]
    fn keys_may_change_or_not_by_the_longest_prefix() {
        for free in
            ["optimizer.learning_rate.initial", "training.updates", "log.every", "rollout.steps", "policy.kernel"]
        {
            assert_eq!(reason(free), None, "{free}");
        }
        for fixed in ["seed", "env.size", "policy.cell.name", "policy.hidden", "algorithm.kl_penalty.coefficient"] {
            assert!(reason(fixed).is_some(), "{fixed}");
        }
        assert_eq!(reason("algorithm.kl_penalty.target"), None);
        for (i, (prefix, _)) in RULES.iter().enumerate() {
            let earlier = RULES[..i].iter().find(|(known, _)| prefix.starts_with(known));
            assert_eq!(earlier, None, "{prefix} is never reached");
        }
    }
}
