//! Environments by name, with their settings.
//!
//! One is added by an entry of the table in `registry/environments.rs`.

mod environments;
mod table;

pub use environments::{ENVIRONMENTS, Entry, EnvConfig};

use environments::NAMES;

#[cfg(unix)]
use crate::gymnasium::GymnasiumConfig;
use crate::native::FEATURES;
use crate::registered::{self, CustomConfig};
use crate::{Error, Result};

/// The cargo feature that the environment of that name needs, in this build or not.
pub fn feature(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == name)?.1.first().copied()
}

/// The cargo feature that the environment of that name needs, where this build is without it.
pub fn missing_feature(name: &str) -> Option<&'static str> {
    let &(_, features) = NAMES.iter().find(|(known, _)| *known == name)?;
    features.iter().copied().find(|&feature| FEATURES.contains(&(feature, false)))
}

impl EnvConfig {
    /// The environment of that name with its default settings, one that was registered ([`crate::custom`]) included.
    ///
    /// # Errors
    /// [`Error::UnknownEnvironment`] with the names there are, [`Error::NotBuilt`] for one that needs a cargo feature.
    pub fn from_name(name: &str) -> Result<Self> {
        if let Some(entry) = ENVIRONMENTS.iter().find(|entry| entry.name == name) {
            return Ok((entry.default)());
        }
        let registered = registered::registered();
        if registered.iter().any(|id| id == name) {
            return Ok(Self::Custom(CustomConfig::new(name)));
        }
        if let Some(feature) = missing_feature(name) {
            return Err(Error::NotBuilt { name: name.into(), feature });
        }
        let known = ENVIRONMENTS.iter().map(|entry| entry.name).chain(registered.iter().map(String::as_str));
        Err(Error::UnknownEnvironment { name: name.into(), known: known.collect::<Vec<_>>().join(", ") })
    }

    /// The same environment, so made that it has a screen ([`crate::Env::screen`]) where it can and pictures are wanted.
    pub fn drawing(&self, pictures: bool) -> Self {
        match self {
            #[cfg(unix)]
            Self::Gymnasium(config) => Self::Gymnasium(GymnasiumConfig { pictures, ..config.clone() }),
            other => other.clone(),
        }
    }

    /// Refuses impossible settings, by making the environment once; one of Gymnasium by a look at them alone, for Python
    /// may take a while.
    ///
    /// # Errors
    /// Those of [`EnvConfig::make`].
    pub fn validate(&self) -> Result<()> {
        match self {
            #[cfg(unix)]
            Self::Gymnasium(config) => config.validate(),
            _ => self.make().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::MazeConfig;

    #[test]
    fn table_names_configurations_and_environments_agree() {
        for entry in ENVIRONMENTS {
            let config = EnvConfig::from_name(entry.name).unwrap();
            assert_eq!(config.name(), entry.name);
            assert_eq!(config.make().unwrap().name(), entry.name);
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(json["name"], entry.name, "the serialised tag");
            assert_eq!(serde_json::from_value::<EnvConfig>(json).unwrap(), config);
            let by_name_alone = serde_json::json!({ "name": entry.name });
            assert_eq!(serde_json::from_value::<EnvConfig>(by_name_alone).unwrap(), config, "every key has a default");
            assert!(!entry.summary.is_empty() && !entry.summary.contains('\n'));
        }
    }

    #[test]
    fn unknown_names_and_keys_are_refused_with_what_there_is() {
        let error = EnvConfig::from_name("labyrinth").unwrap_err().to_string();
        assert!(error.contains("`labyrinth`") && error.contains("maze"), "{error}");
        let refused = |json: &str| serde_json::from_str::<EnvConfig>(json).unwrap_err().to_string();
        let error = refused(r#"{"name": "labyrinth"}"#);
        assert!(error.contains("`labyrinth`") && error.contains("`maze`"), "{error}");
        let error = refused(r#"{"name": "maze", "sise": 9}"#);
        assert!(error.contains("`sise`") && error.contains("`size`"), "{error}");
    }

    #[test]
    fn environments_behind_a_feature_are_there_or_named_with_it() {
        for &(name, features) in NAMES {
            let built = features.iter().all(|&feature| FEATURES.contains(&(feature, true)));
            assert_eq!(ENVIRONMENTS.iter().any(|entry| entry.name == name), built, "{name}");
            match EnvConfig::from_name(name) {
                Ok(config) => assert!(built && missing_feature(name).is_none() && config.name() == name, "{name}"),
                Err(error) => {
                    let (error, feature) = (error.to_string(), features[0]);
                    assert!(!built && error.contains(&format!("feature `{feature}`")), "{error}");
                    assert_eq!(missing_feature(name), Some(feature));
                }
            }
        }
    }

    #[test]
    fn a_whole_number_does_for_a_float() {
        let config: EnvConfig = serde_json::from_str(r#"{"name": "maze", "reward": 3}"#).unwrap();
        assert_eq!(config, EnvConfig::Maze(MazeConfig { reward: 3.0, ..MazeConfig::default() }));
    }

    #[test]
    fn impossible_settings_are_refused() {
        let config = EnvConfig::Maze(MazeConfig { size: 4, ..MazeConfig::default() });
        assert!(config.validate().unwrap_err().to_string().contains("env.size = 4"));
    }
}
