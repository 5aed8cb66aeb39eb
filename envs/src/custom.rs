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

use serde::de::DeserializeOwned;

pub use crate::registered::{CustomConfig, registered};
use crate::registered::{insert, taken};
use crate::registry::ENVIRONMENTS;
use crate::{Env, Result};

/// Registers an environment for this process. `make` takes its settings, any type that serde reads from
/// `env.options`, and is called once for every copy of the environment, from several threads.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) if the name is taken, by one of this crate's environments too.
pub fn register<C, E>(id: &str, make: impl Fn(C) -> Result<E> + Send + Sync + 'static) -> Result<()>
where
    C: DeserializeOwned,
    E: Env + 'static,
{
    if ENVIRONMENTS.iter().any(|entry| entry.name == id) {
        return Err(taken(id, "an environment of this crate"));
    }
    insert(id, make)
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
