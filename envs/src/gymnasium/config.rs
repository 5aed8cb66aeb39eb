//! Settings of an environment of Python's Gymnasium.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Which environment of Python's Gymnasium, and how it is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GymnasiumConfig {
    /// Its name in Gymnasium's registry, e.g. `LunarLander-v3` or `MiniGrid-MemoryS7-v0`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-sb3" = "env", "x-cleanrl" = "env_id"))]
    pub id: String,
    /// In place of `id` a function that makes it: `my_env.py:make`, or `my_package.envs:make`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub make: String,
    /// Keyword arguments of `gymnasium.make`, or of `make`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(extend("x-sb3" = "env_kwargs"))]
    pub kwargs: Map<String, Value>,
    /// Packages that register it, imported first, e.g. `["minigrid"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<String>,
    /// Wrappers around it, innermost first, e.g. `["minigrid.wrappers:ImgObsWrapper"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wrappers: Vec<String>,
    /// Elements of the observation that the agent sees, where it is a box of floats; empty = all of them. What is hidden
    /// has to be remembered or inferred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<usize>,
    /// Maximum episode length, overriding the registered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_episode_steps: Option<u32>,
    /// Whether the agent's actions of −1 to 1 are stretched to the bounds of the space, where it is a box. Default
    /// false: they are as large as the space says, and clipped to it.
    #[serde(skip_serializing_if = "is_false")]
    pub scale_actions: bool,
    /// Worker processes; 0 = as many as threads. The result does not depend on it.
    #[serde(skip_serializing_if = "is_zero")]
    pub workers: usize,
    /// MiB that a worker process may take before its environments count as failed; 0 = no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_limit: usize,
    /// Whether pictures can be asked for; not part of the settings of a run.
    #[serde(skip)]
    pub pictures: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

impl GymnasiumConfig {
    /// The environment of that name.
    pub fn new(id: &str) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// What tells it from others, for people.
    pub fn label(&self) -> &str {
        if self.id.is_empty() { &self.make } else { &self.id }
    }

    /// Refuses impossible settings, without starting Python.
    ///
    /// # Errors
    /// [`Error::Config`] with the key, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let refuse =
            |key, value: &str, allowed: &str| Err(Error::Config { key, value: value.into(), allowed: allowed.into() });
        match (self.id.is_empty(), self.make.is_empty()) {
            (true, true) => {
                return refuse(
                    "id",
                    "(none)",
                    "an environment of Gymnasium, e.g. LunarLander-v3, or env.make = FILE.py:NAME",
                );
            }
            (false, false) => return refuse("make", &self.make, "only without env.id"),
            _ => {}
        }
        // Gymnasium imports the module before the colon.
        if self.id.contains(':') {
            return refuse("id", &self.id, "a name without a module; name the module by env.import");
        }
        let names = [("make", std::slice::from_ref(&self.make)), ("wrappers", &self.wrappers)];
        for (key, value) in names.into_iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value))) {
            let proper = value.rsplit_once(':').is_some_and(|(module, name)| !module.is_empty() && !name.is_empty());
            if !(value.is_empty() && key == "make" || proper) {
                return refuse(
                    key,
                    value,
                    "is not of the form MODULE:NAME; MODULE is a package or, for env.make, a file",
                );
            }
        }
        if self.max_episode_steps == Some(0) {
            return refuse("max_episode_steps", "0", "at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |json: &str| {
            let config: GymnasiumConfig = serde_json::from_str(json).unwrap();
            config.validate().unwrap_err().to_string()
        };
        assert!(refused("{}").contains("env.id = (none)"));
        assert!(refused(r#"{"id": "A", "make": "b.py:c"}"#).contains("env.make = b.py:c: only without"));
        assert!(refused(r#"{"id": "os:A-v0"}"#).contains("env.import"));
        assert!(
            refused(r#"{"id": "A", "wrappers": ["Flat"]}"#)
                .contains("env.wrappers = Flat: is not of the form MODULE:NAME")
        );
        assert!(refused(r#"{"make": "my_env.py"}"#).contains("env.make = my_env.py"));
        assert!(refused(r#"{"id": "A", "max_episode_steps": 0}"#).contains("env.max_episode_steps = 0"));
    }

    #[test]
    fn settings_are_written_without_what_is_left_out() {
        let config = GymnasiumConfig::new("CartPole-v1");
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"id":"CartPole-v1"}"#);
    }
}
