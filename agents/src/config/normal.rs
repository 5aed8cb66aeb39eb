//! The normal form of a configuration: what may be written shorter, what older versions wrote, and defaults that depend
//! on other keys.

use stpn_core::cells::CellName;
use toml::{Table, Value};

use super::RolloutConfig;
use crate::keys;

/// Sections that are one of several, chosen by `name`; a bare name stands for that one with its defaults.
pub const VARIANTS: [&str; 5] = ["env", "task", "algorithm", "policy.encoder", "policy.cell"];

/// A default that depends on other keys.
#[derive(Debug)]
pub struct Dependent {
    /// The key, dotted.
    pub key: &'static str,
    /// What it is, in words.
    pub words: &'static str,
    /// What it is in a table in normal form; none = that of the key's section.
    value: fn(&Table) -> Option<Value>,
}

/// Environments of A2C, which takes one gradient step per rollout: few, so that there are many rollouts.
pub const A2C_ENVIRONMENTS: usize = 2;

/// The defaults that depend on other keys; of agents only.
pub const DEPENDENT: [Dependent; 3] = [
    Dependent {
        key: "rollout.environments",
        words: "32; 2 with a2c, which takes one gradient step per rollout",
        value: |table| {
            (text(table, "algorithm.name") == Some("a2c")).then_some(Value::Integer(A2C_ENVIRONMENTS as i64))
        },
    },
    Dependent {
        key: "algorithm.minibatch_size",
        words: "256, or all steps of a rollout if these are fewer",
        value: |table| {
            let rollout = RolloutConfig::default();
            let size = |key, default: usize| keys::get(table, key).map_or(Some(default as f64), number);
            let steps = size("rollout.environments", rollout.environments)? * size("rollout.steps", rollout.steps)?;
            let is_smaller = text(table, "algorithm.name") == Some("ppo") && (1.0..256.0).contains(&steps);
            is_smaller.then_some(Value::Integer(steps as i64))
        },
    },
    Dependent {
        key: "normalization.rewards",
        words: "true if the critic shares the trunk and rewards are not clipped to their sign; false otherwise",
        value: |table| {
            let shared = text(table, "policy.critic").is_none_or(|critic| critic == "shared");
            let clipped = keys::get(table, "algorithm.clip_rewards").and_then(Value::as_bool).unwrap_or(false);
            Some(Value::Boolean(shared && !clipped))
        },
    },
];

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|number| number as f64))
}

fn text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    keys::get(table, key).and_then(Value::as_str)
}

/// Writes out bare names, and what older versions called otherwise.
pub fn normal(table: &mut Table) {
    for key in VARIANTS {
        if let Some(name) = text(table, key) {
            // Cells have more names than sections: `stpnf` is `stpn` with other options.
            let cell = if key == "policy.cell" { name.parse::<CellName>().ok() } else { None };
            let section = match cell.map(|cell| Table::try_from(cell.config())) {
                Some(Ok(section)) => section,
                _ => Table::from_iter([("name".to_string(), Value::String(name.to_string()))]),
            };
            keys::set(table, key, section.into());
        }
    }
    // Until version 0.1 a cell's name was its `kind`, and gradients were clipped only if the file said so.
    if let Some(Value::Table(cell)) = keys::get_mut(table, "policy.cell")
        && !cell.contains_key("name")
        && let Some(kind) = cell.remove("kind")
    {
        cell.insert("name".into(), kind);
        let optimizer = table.get_mut("optimizer").and_then(Value::as_table_mut);
        let complete =
            |section: &&mut Table| ["beta1", "beta2", "epsilon"].iter().all(|key| section.contains_key(*key));
        if let Some(optimizer) = optimizer.filter(complete) {
            optimizer.entry("max_grad_norm").or_insert_with(|| Value::String("none".into()));
        }
    }
}

/// Puts in the defaults that depend on other keys, of an agent's table in normal form.
pub(super) fn complete(table: &mut Table) {
    for dependent in &DEPENDENT {
        if keys::get(table, dependent.key).is_none()
            && let Some(value) = (dependent.value)(table)
        {
            keys::set(table, dependent.key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn a_bare_name_is_a_section_and_kind_an_older_word_for_name() {
        let mut short = table("env = 'maze'\nalgorithm = 'ppo'\n[policy]\ncell.kind = 'rnn'\nencoder = 'mlp'");
        normal(&mut short);
        let long = "env.name = 'maze'\nalgorithm.name = 'ppo'\n[policy]\ncell.name = 'rnn'\nencoder.name = 'mlp'";
        assert_eq!(short, table(long));
        let mut stpnf = table("policy.cell = 'stpnf'");
        normal(&mut stpnf);
        assert_eq!(keys::get(&stpnf, "policy.cell.name"), Some(&Value::String("stpn".into())));
        assert_eq!(keys::get(&stpnf, "policy.cell.recurrent"), Some(&Value::Boolean(false)));
    }

    #[test]
    fn an_older_run_without_a_limit_on_its_gradients_got_one() {
        let written = "[optimizer]\nbeta1 = 0.9\nbeta2 = 0.999\nepsilon = 1e-8\nlearning_rate = 0.1\n";
        let limit = |text: &str| {
            let mut table = table(text);
            normal(&mut table);
            keys::get(&table, "optimizer.max_grad_norm").cloned()
        };
        assert_eq!(limit(&format!("{written}[policy.cell]\nkind = 'rnn'")), Some(Value::String("none".into())));
        assert_eq!(limit("[optimizer]\nepsilon = 1e-8\n[policy.cell]\nkind = 'rnn'"), None, "a file of one's own");
        assert_eq!(limit(&format!("{written}[policy.cell]\nname = 'rnn'")), None, "of today");
    }

    #[test]
    fn defaults_follow_the_algorithm_and_the_critic() {
        let value = |text: &str, key: &str| {
            let mut table = table(text);
            complete(&mut table);
            keys::get(&table, key).cloned()
        };
        let environments = "rollout.environments";
        assert_eq!(value("algorithm.name = 'a2c'", environments), Some(Value::Integer(2)));
        assert_eq!(value("algorithm.name = 'a2c'\nrollout.environments = 5", environments), Some(Value::Integer(5)));
        assert_eq!(value("algorithm.name = 'ppo'", environments), None);
        let small = "algorithm.name = 'ppo'\nrollout.environments = 2";
        assert_eq!(value(small, "algorithm.minibatch_size"), Some(Value::Integer(64)));
        for (text, expected) in [
            ("", true),
            ("policy.critic = 'shared'", true),
            ("policy.critic = 'separate'", false),
            ("algorithm.clip_rewards = true", false),
        ] {
            assert_eq!(value(text, "normalization.rewards"), Some(Value::Boolean(expected)), "{text}");
        }
    }
}
