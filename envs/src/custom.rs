//! Environments of one's own, by name: registered by a program at its start, then configured, checked, trained and
//! resumed like those of this crate.
//!
//! In a configuration they are `env.name = "custom"` with their `id` and `options`, which are whatever the registered
//! type of settings takes.
//!
//! ```
//! # use stpn_envs::{EnvConfig, Result, custom};
//! # use stpn_envs::maze::{Maze, MazeConfig};
//! # fn main() -> Result<()> {
//! custom::register("labyrinth", |size: usize| Maze::new(MazeConfig { size, ..MazeConfig::default() }))?;
//! let text = r#"{"name": "custom", "id": "labyrinth", "options": 9}"#;
//! let config: EnvConfig = serde_json::from_str(text).unwrap();
//! assert_eq!(config.make()?.observation_space().len(), 17);
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Env, Error, Result};

/// A registered environment with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    /// The name under which it was registered.
    pub id: String,
    /// What its constructor takes; an empty table where it is left out.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub options: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty(options: &Value) -> bool {
    options.as_object().is_some_and(serde_json::Map::is_empty)
}

type Maker = dyn Fn(&Value) -> Result<Box<dyn Env>> + Send + Sync;

static REGISTERED: RwLock<BTreeMap<String, Arc<Maker>>> = RwLock::new(BTreeMap::new());

/// Registers an environment for this process. `make` takes its settings, any type that serde reads from
/// `env.options`, and is called once for every copy of the environment, from several threads.
///
/// # Errors
/// [`Error::Config`] if the name is taken, by one of this crate's environments too.
pub fn register<C, E>(id: &str, make: impl Fn(C) -> Result<E> + Send + Sync + 'static) -> Result<()>
where
    C: DeserializeOwned,
    E: Env + 'static,
{
    let maker = move |options: &Value| -> Result<Box<dyn Env>> {
        let settings = C::deserialize(options).map_err(|error| Error::Config {
            key: "options",
            value: options.to_string(),
            allowed: error.to_string(),
        })?;
        Ok(Box::new(make(settings)?))
    };
    let taken = |by: &str| Err(Error::Config { key: "id", value: id.into(), allowed: format!("is the name of {by}") });
    if crate::registry::ENVIRONMENTS.iter().any(|entry| entry.name == id) {
        return taken("an environment of this crate");
    }
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    if registered.contains_key(id) {
        return taken("an environment registered before");
    }
    registered.insert(id.into(), Arc::new(maker));
    Ok(())
}

/// Names of the environments registered so far, sorted.
pub fn registered() -> Vec<String> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
}

impl CustomConfig {
    /// The environment registered under that name, with an empty table of options.
    pub fn new(id: &str) -> Self {
        Self { id: id.into(), options: empty() }
    }

    /// Makes one such environment.
    ///
    /// # Errors
    /// [`Error::Unregistered`] if this process has registered none of that name, [`Error::Config`] if its
    /// settings cannot be read from the options, and what else its constructor says.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        let maker = REGISTERED.read().unwrap_or_else(PoisonError::into_inner).get(&self.id).cloned();
        let unregistered = || Error::Unregistered { id: self.id.clone(), registered: registered().join(", ") };
        maker.ok_or_else(unregistered)?(&self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnvConfig;
    use crate::classic::CartPoleConfig;

    #[test]
    fn a_registered_environment_is_made_by_its_name_and_reads_its_options() {
        register("pole", |config: CartPoleConfig| config.make()).unwrap();
        assert!(registered().contains(&"pole".to_string()));
        let config = EnvConfig::from_name("pole").unwrap();
        assert_eq!((config.name(), config.make().unwrap().name()), ("pole", "cartpole"));
        let json = serde_json::json!({ "name": "custom", "id": "pole" });
        assert_eq!(serde_json::from_value::<EnvConfig>(json.clone()).unwrap(), config);
        assert_eq!(serde_json::to_value(&config).unwrap(), json);

        let mut config = CustomConfig::new("pole");
        config.options = serde_json::json!({ "length": 3 });
        let error = config.make().err().unwrap().to_string();
        assert!(error.contains("env.options") && error.contains("`length`"), "{error}");
    }

    #[test]
    fn names_are_registered_once_and_before_they_are_used() {
        let register = |id: &str| register(id, |config: CartPoleConfig| config.make()).map_err(|e| e.to_string());
        register("taken").unwrap();
        assert!(register("taken").unwrap_err().contains("env.id = taken"));
        assert!(register("maze").unwrap_err().contains("of this crate"));
        let error = CustomConfig::new("never").make().err().unwrap().to_string();
        assert!(error.contains("`never`") && error.contains("taken") && error.contains("register"), "{error}");
    }
}
