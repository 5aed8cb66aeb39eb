//! What is searched: keys of a configuration, and the values that each may have.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stpn_agents::{RunConfig, keys};
use stpn_random::Stream;
use toml::{Table, Value};

use crate::{Error, Result, files};

/// Keys and their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space(BTreeMap<String, Entry>);

/// The values that a key may have: numbers between two bounds, or a choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    /// The lowest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How numbers are spread between the bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Whole numbers alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// The values to choose from, in place of bounds; `"none"` leaves the key out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
}

/// How numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Evenly in their logarithm.
    Log,
}

/// The keys of an entry, by which it is told from a section.
const ENTRY: [&str; 5] = ["low", "high", "scale", "whole", "choices"];

impl Entry {
    fn log(low: f64, high: f64) -> Self {
        Self { low: Some(low), high: Some(high), scale: Some(Scale::Log), ..Self::default() }
    }

    fn choice<T: Into<Value>>(choices: impl IntoIterator<Item = T>) -> Self {
        Self { choices: choices.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// What is wrong with it.
    fn problem(&self) -> Option<&'static str> {
        let bounds = (self.low, self.high);
        match (self.choices.is_empty(), bounds) {
            (false, (None, None)) if self.scale.is_none() && !self.whole => None,
            (false, _) => Some("has choices: bounds, `scale` and `whole` do nothing beside them"),
            (true, (Some(low), Some(high))) => match self.scale {
                _ if !(low.is_finite() && high.is_finite() && low < high) => Some("needs low < high"),
                Some(Scale::Log) if low <= 0.0 => Some("needs low > 0 for the scale `log`"),
                _ if self.whole && low.ceil() > high.floor() => Some("has no whole number between low and high"),
                _ => None,
            },
            (true, _) => Some("needs `low` and `high`, or `choices`"),
        }
    }

    /// A value, as it stands after `key=`.
    fn draw(&self, stream: &mut Stream) -> String {
        if !self.choices.is_empty() {
            return match &self.choices[stream.below(self.choices.len())] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
        }
        let (low, high) = (self.low.unwrap_or(0.0), self.high.unwrap_or(1.0));
        let number = match self.scale {
            Some(Scale::Log) => stream.uniform(low.ln(), high.ln()).exp(),
            _ => stream.uniform(low, high),
        };
        if self.whole {
            return format!("{:.0}", number.round().clamp(low.ceil(), high.floor()));
        }
        // Three digits are enough, and can be read.
        let rounded = format!("{number:.2e}").parse().unwrap_or(number).clamp(low, high);
        format!("{rounded:?}")
    }
}

impl Space {
    /// What is searched if nobody says what: of a configuration, the keys of the optimiser, the algorithm and the STPN
    /// on which learning depends most.
    ///
    /// # Errors
    /// Fails if the configuration has no TOML form.
    pub fn of(config: &RunConfig) -> Result<Self> {
        let table = config.table()?;
        let rate = match keys::get(&table, "optimizer.learning_rate") {
            Some(Value::Table(_)) => "optimizer.learning_rate.initial",
            _ => "optimizer.learning_rate",
        };
        let mut entries = vec![(rate, Entry::log(1e-4, 5e-3)), ("optimizer.max_grad_norm", Entry::log(0.2, 5.0))];
        if let RunConfig::Agent(config) = config {
            let steps = (config.rollout.environments * config.rollout.steps) as i64;
            entries.extend([
                ("algorithm.gamma", Entry::choice([0.9, 0.95, 0.98, 0.99, 0.995])),
                ("algorithm.gae_lambda", Entry::choice([0.8, 0.9, 0.95, 0.98])),
                ("algorithm.entropy_coefficient", Entry::log(1e-4, 3e-2)),
                ("algorithm.epochs", Entry::choice([2, 4, 8])),
                ("algorithm.minibatch_size", Entry::choice([steps / 8, steps / 4, steps / 2])),
                ("algorithm.clip", Entry::choice([0.1, 0.2, 0.3])),
            ]);
        }
        entries.retain(|(key, _)| keys::get(&table, key).is_some());
        if keys::get(&table, "policy.cell.initial_rate").is_some() {
            let memory = ["none", "10.0", "100.0"];
            entries.extend([
                ("policy.cell.initial_memory", Entry::choice(memory)),
                ("policy.cell.initial_rate", Entry::log(1e-3, 0.3)),
                ("policy.cell.initial_norm", Entry::choice(["none", "1.0"])),
            ]);
        }
        Ok(Self(entries.into_iter().map(|(key, entry)| (key.to_string(), entry)).collect()))
    }

    /// Reads one from TOML: below the name of each key, `low` and `high`, or `choices`.
    ///
    /// # Errors
    /// [`Error::Unfit`], naming the file and the key; fails if the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let refused = |problem: String| Error::Unfit(format!("{}: {problem}", path.display()));
        let table: Table = files::read(path)?.parse().map_err(|error: toml::de::Error| refused(error.to_string()))?;
        let mut entries = BTreeMap::new();
        collect("", table, &mut entries).map_err(refused)?;
        if entries.is_empty() {
            return Err(refused("names no key to search".into()));
        }
        Ok(Self(entries))
    }

    /// It as TOML.
    ///
    /// # Errors
    /// Fails if a choice has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(Error::text)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Values for all keys, as they stand after `key=`.
    pub fn draw(&self, stream: &mut Stream) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, entry)| (key.clone(), entry.draw(stream))).collect()
    }
}

/// Finds the entries in the sections of a table.
fn collect(section: &str, table: Table, entries: &mut BTreeMap<String, Entry>) -> std::result::Result<(), String> {
    for (key, value) in table {
        let key = if section.is_empty() { key } else { format!("{section}.{key}") };
        let Value::Table(value) = value else {
            return Err(format!("{key}: needs `low` and `high`, or `choices`, below its name: [{key}]"));
        };
        if !value.keys().any(|name| ENTRY.contains(&name.as_str())) {
            collect(&key, value, entries)?;
            continue;
        }
        if let Some(unknown) = value.keys().find(|name| !ENTRY.contains(&name.as_str())) {
            return Err(format!("{key}: `{unknown}` is unknown; there are {}", ENTRY.join(", ")));
        }
        let entry: Entry = value.try_into().map_err(|error: toml::de::Error| format!("{key}: {}", error.message()))?;
        if let Some(problem) = entry.problem() {
            return Err(format!("{key}: {problem}"));
        }
        entries.insert(key, entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Space> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("space.toml");
        std::fs::write(&path, text).unwrap();
        Space::read(&path)
    }

    #[test]
    fn values_lie_where_they_may() {
        let text = "[optimizer.learning_rate]\nlow = 1e-4\nhigh = 1e-2\nscale = \"log\"\n\
                    [rollout.steps]\nlow = 7.6\nhigh = 64.6\nwhole = true\n\
                    [policy.cell.initial_norm]\nchoices = [\"none\", 1.0]\n";
        let space = read(text).unwrap();
        let mut stream = Stream::from_seed(1);
        let (mut below, mut seen) = (0, BTreeMap::new());
        for _ in 0..1000 {
            let drawn = space.draw(&mut stream);
            let rate: f64 = drawn["optimizer.learning_rate"].parse().unwrap();
            assert!((1e-4..=1e-2).contains(&rate));
            below += usize::from(rate < 1e-3);
            assert!((8..=64).contains(&drawn["rollout.steps"].parse::<u64>().unwrap()));
            *seen.entry(drawn["policy.cell.initial_norm"].clone()).or_insert(0) += 1;
        }
        assert!((440..560).contains(&below), "half of the logarithms: {below}");
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["1.0", "none"]);
        // What was written is read again.
        assert_eq!(read(&space.to_toml().unwrap()).unwrap(), space);
    }

    #[test]
    fn what_cannot_be_searched_is_named() {
        for (text, said) in [
            ("", "names no key"),
            ("[a.b]\nlow = 1\n", "a.b: needs `low` and `high`"),
            ("[a.b]\nlow = 2\nhigh = 1\n", "a.b: needs low < high"),
            ("[a.b]\nlow = 0\nhigh = 1\nscale = \"log\"\n", "low > 0"),
            ("[a.b]\nlow = 0\nhigh = 1\nstep = 3\n", "`step` is unknown"),
            ("[a.b]\nchoices = [1]\nlow = 1\n", "do nothing"),
            ("[a.b]\nlow = 1.2\nhigh = 1.8\nwhole = true\n", "no whole number"),
            ("[a]\nb = 3\n", "a.b: needs `low`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("space.toml"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_searched_by_default_are_keys_that_the_experiment_has() {
        for name in ["cartpole", "art", "maze-small", "memory"] {
            let config = crate::preset(name).unwrap();
            let (space, table) = (Space::of(&config).unwrap(), config.table().unwrap());
            assert!(space.0.len() >= 2, "{name}");
            let optional = |key: &str| key.starts_with("policy.cell.initial_");
            for key in space.keys() {
                assert!(optional(key) || keys::get(&table, key).is_some(), "{name}: {key}");
                assert!(space.0[key].problem().is_none(), "{name}: {key}");
            }
        }
    }
}
