//! What sets runs apart: their resolved configurations, key by key.
//!
//! Runs are seeds of one experiment only if [`Settings`] of theirs are equal.

use std::collections::BTreeMap;
use std::path::Path;

use stpn_agents::RunConfig;
use stpn_agents::config::normal::normal;
use toml::{Table, Value};

use crate::Result;

/// Keys and sections that change nothing in what is learned or measured. Evaluations during training have episodes and
/// random streams of their own.
const WITHOUT_EFFECT: [&str; 7] = [
    "seed",
    "training.threads",
    "checkpoint",
    "evaluation",
    "log.every",
    "log.histograms_every",
    "rollout.step_timeout",
];

/// Keys that may name a file, which is the same one in another folder.
const FILES: [&str; 2] = ["env.game", "env.xml_file"];

/// The key by which a section says what it is: what else it holds follows from it.
const TAG: &str = ".name";

/// Differences that a message lists.
const LISTED: usize = 5;

/// The keys of a resolved configuration that have an effect on its results, dotted, with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Of a resolved configuration.
    pub fn of(config: &Table) -> Self {
        // An older program's words for the same are no difference.
        let mut config = config.clone();
        normal(&mut config);
        let mut settings = BTreeMap::new();
        flatten("", &config, &mut settings);
        settings.retain(|key, _| !WITHOUT_EFFECT.iter().any(|section| is_below(key, section)));
        for key in FILES {
            if let Some(Value::String(path)) = settings.get_mut(key)
                && let Some(name) = Path::new(path.as_str()).file_name().and_then(|name| name.to_str())
            {
                *path = name.to_string();
            }
        }
        Self(settings)
    }

    /// Of a configuration.
    ///
    /// # Errors
    /// Fails if a value has no TOML form.
    pub fn of_config(config: &RunConfig) -> Result<Self> {
        Ok(Self::of(&config.table()?))
    }

    /// Whether a schedule among them ends where the run does: a run that is continued for longer is then another one
    /// than a run that was planned so from the start.
    pub fn follows_length(&self) -> bool {
        let schedules = self.0.keys().filter_map(|key| key.strip_suffix(".initial"));
        schedules.into_iter().any(|schedule| !self.0.contains_key(&format!("{schedule}.horizon")))
    }

    /// Those below one of `sections`.
    pub fn within(&self, sections: &[&str]) -> Self {
        self.filtered(|key| sections.iter().any(|section| is_below(key, section)))
    }

    /// Those below none of `sections`.
    pub fn without(&self, sections: &[&str]) -> Self {
        self.filtered(|key| !sections.iter().any(|section| is_below(key, section)))
    }

    fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// What differs from `other`, for a message: `optimizer.learning_rate (0.5 in place of 0.001)`.
    pub fn in_place_of(&self, other: &Self) -> String {
        let keys = Differences::among(&[self, other]).keys;
        let value = |settings: &Self, key: &str| settings.0.get(key).map_or("none".to_string(), shown);
        let listed = keys.iter().take(LISTED);
        let listed: Vec<String> =
            listed.map(|key| format!("{key} ({} in place of {})", value(self, key), value(other, key))).collect();
        let rest = keys.len().saturating_sub(LISTED);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        listed.join(", ") + &rest
    }
}

/// The keys in which some settings differ from others.
#[derive(Clone, Debug, PartialEq)]
pub struct Differences {
    keys: Vec<String>,
}

impl Differences {
    /// Among `all`. What only follows from another kind of algorithm, cell or encoder is left out.
    pub fn among(all: &[&Settings]) -> Self {
        let union: BTreeMap<&str, &Value> =
            all.iter().flat_map(|settings| settings.0.iter().map(|(key, value)| (key.as_str(), value))).collect();
        let differs = |key: &str| all.iter().any(|settings| settings.0.get(key) != all[0].0.get(key));
        let keys: Vec<&str> = union.into_keys().filter(|key| differs(key)).collect();
        let follows = |key: &str| {
            let mut values = all.iter().filter_map(|settings| settings.0.get(key));
            let first = values.next();
            let one_value = values.all(|value| Some(value) == first);
            let missing = all.iter().any(|settings| !settings.0.contains_key(key));
            missing && one_value && tagged(&keys, key)
        };
        let keys = keys.iter().filter(|key| !follows(key)).map(|key| (*key).to_string()).collect();
        Self { keys }
    }

    /// How one of the settings stands out: `algorithm ppo, hidden 64`; empty if none differs.
    pub fn name(&self, settings: &Settings) -> String {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let part = |key: &&str| match settings.0.get(*key) {
            Some(value) => Some(format!("{} {}", short(key, &keys), shown(value))),
            None if tagged(&keys, key) => None,
            None => Some(format!("no {}", short(key, &keys))),
        };
        keys.iter().filter_map(part).collect::<Vec<_>>().join(", ")
    }
}

/// Whether one of `keys` is the tag of a section that `key` is in.
fn tagged(keys: &[&str], key: &str) -> bool {
    let section = |tag: &str| tag.strip_suffix(TAG).map(str::to_string);
    keys.iter().any(|tag| *tag != key && section(tag).is_some_and(|section| is_below(key, &section)))
}

/// The last part of a key, of a tag the section's name, as long as that tells it from the others.
fn short<'k>(key: &'k str, keys: &[&str]) -> &'k str {
    let last = |key: &'k str| {
        let key = key.strip_suffix(TAG).unwrap_or(key);
        key.rsplit('.').next().unwrap_or(key)
    };
    let alike = keys.iter().filter(|other| other.rsplit('.').next() == key.rsplit('.').next());
    let is_tag = key.ends_with(TAG);
    if is_tag || alike.count() == 1 { last(key) } else { key }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a key is a section or lies in it.
pub(crate) fn is_below(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn flatten(prefix: &str, table: &Table, settings: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(table) => flatten(&key, table, settings),
            value => drop(settings.insert(key, value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let base: Table = "seed = 1\n[env]\nname = 'maze'\nsize = 9\n[optimizer]\nlearning_rate = 0.001\n\
                           [policy]\nhidden = 55\ncell.name = 'stpn'"
            .parse()
            .unwrap();
        let mut table = base;
        text.lines().for_each(|line| drop(crate::overrides::apply(&mut table, &line.parse().unwrap()).unwrap()));
        Settings::of(&table)
    }

    #[test]
    fn seed_threads_logging_checkpoints_and_evaluation_set_no_run_apart() {
        let other = settings(
            "seed=2\ntraining.threads=7\nlog.every=5\nlog.histograms_every=1\ncheckpoint.every=9\nevaluation.every=3\n\
             rollout.step_timeout=1.0",
        );
        assert_eq!(other, settings(""));
        for line in ["env.size=13", "training.updates=5", "optimizer.learning_rate=0.01", "policy.cell.clamp=1.0"] {
            assert_ne!(settings(line), settings(""), "{line}");
        }
        assert_ne!(settings("log.energy_skip_inputs=[1]"), settings(""), "the energy is another one");
    }

    #[test]
    fn the_same_file_in_another_folder_is_the_same() {
        let [one, moved, other] = ["a/pong.bin", "/b/pong.bin", "a/qbert.bin"].map(|game| format!("env.game={game}"));
        assert_eq!(settings(&one), settings(&moved));
        assert_ne!(settings(&one), settings(&other));
    }

    #[test]
    fn differences_are_named_in_few_words() {
        let a2c = settings("algorithm.name=a2c\nalgorithm.gamma=0.9");
        let ppo = settings("algorithm.name=ppo\nalgorithm.gamma=0.99\nalgorithm.epochs=4");
        let differences = Differences::among(&[&a2c, &ppo]);
        assert_eq!(differences.name(&a2c), "gamma 0.9, algorithm a2c");
        assert_eq!(differences.name(&ppo), "gamma 0.99, algorithm ppo", "that PPO has epochs follows");
        let more = settings("algorithm.name=ppo\nalgorithm.gamma=0.99\nalgorithm.epochs=8");
        let differences = Differences::among(&[&a2c, &ppo, &more]);
        assert_eq!(differences.name(&ppo), "epochs 4, gamma 0.99, algorithm ppo");
        assert_eq!(differences.name(&a2c), "gamma 0.9, algorithm a2c");
        assert_eq!(Differences::among(&[&a2c, &a2c.clone()]).name(&a2c), "");
    }

    #[test]
    fn what_one_has_and_the_other_lacks_is_a_difference() {
        let (plain, clamped) = (settings(""), settings("policy.cell.clamp=1.0"));
        let differences = Differences::among(&[&plain, &clamped]);
        assert_eq!((differences.name(&plain), differences.name(&clamped)), ("no clamp".into(), "clamp 1.0".into()));
        assert_eq!(clamped.in_place_of(&plain), "policy.cell.clamp (1.0 in place of none)");
    }

    #[test]
    fn keys_of_the_same_last_part_are_told_apart() {
        let (one, other) = (settings("a.every=1\nb.every=1"), settings("a.every=2\nb.every=3"));
        assert_eq!(Differences::among(&[&one, &other]).name(&other), "a.every 2, b.every 3");
    }

    #[test]
    fn a_schedule_without_an_end_of_its_own_follows_the_length() {
        assert!(!settings("").follows_length());
        assert!(settings("optimizer.learning_rate={initial=0.1, last=0.0}").follows_length());
        assert!(!settings("optimizer.learning_rate={initial=0.1, last=0.0, horizon=9}").follows_length());
    }

    #[test]
    fn the_word_for_a_cells_name_set_runs_apart() {
        let older = "seed = 1\n[policy]\nhidden = 5\ncell = { kind = 'rnn' }".parse().unwrap();
        let newer = "seed = 1\n[policy]\nhidden = 5\ncell = { name = 'rnn' }".parse().unwrap();
        assert_eq!(Settings::of(&older), Settings::of(&newer));
    }

    #[test]
    fn long_lists_are_cut() {
        let many = |value: u8| settings(&(0..8).map(|i| format!("x.k{i}={value}\n")).collect::<String>());
        let text = many(1).in_place_of(&many(2));
        assert!(text.contains("x.k0 (1 in place of 2)") && text.ends_with("and 3 more"), "{text}");
    }
}
