//! What a table of environments becomes.

/// Makes [`super::EnvConfig`] and all that goes by its variants from one entry per environment:
///
/// ```text
/// ["feature"] Variant("name", "what it is, in one line"): module::Config, make;
/// ```
///
/// `crate::module::Config` are its settings, which have a `Default` and serde, and whose method `make` makes one. The
/// cargo feature is left out for what is part of every build.
macro_rules! environments {
    ($(
        $([$feature:literal])? $variant:ident($name:literal, $summary:literal): $module:ident::$config:ident, $make:ident;
    )*) => {
        /// Which environment, and its settings: a table with the environment's `name` and whatever keys that one has.
        ///
        /// ```
        /// # use stpn_envs::EnvConfig;
        /// let config: EnvConfig = serde_json::from_str(r#"{"name": "maze", "size": 9}"#).unwrap();
        /// assert_eq!(config.make().unwrap().observation_space().len(), 17);
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        #[non_exhaustive]
        pub enum EnvConfig {
            $(
                #[doc = $summary]
                $(#[cfg(feature = $feature)])?
                #[serde(rename = $name)]
                $variant(crate::$module::$config),
            )*
            /// One that this process has registered: [`crate::custom`].
            #[serde(rename = "custom")]
            Custom(CustomConfig),
            /// One of Python's Gymnasium: [`crate::gymnasium`].
            #[cfg(unix)]
            #[serde(rename = "gymnasium")]
            Gymnasium(GymnasiumConfig),
        }

        /// Every environment of this build.
        pub const ENVIRONMENTS: &[Entry] = &[$(
            $(#[cfg(feature = $feature)])?
            Entry {
                name: $name,
                summary: $summary,
                default: || EnvConfig::$variant(crate::$module::$config::default()),
            },
        )*];

        /// Every environment of any build, with the cargo feature that it needs, if any.
        pub(super) const NAMES: &[(&str, &[&str])] = &[$(
            ($name, &[$($feature)?]),
        )*];

        impl EnvConfig {
            /// Its name; of a registered environment the one it was registered under.
            pub fn name(&self) -> &str {
                match self {
                    $(
                        $(#[cfg(feature = $feature)])?
                        Self::$variant(_) => $name,
                    )*
                    Self::Custom(config) => &config.id,
                    #[cfg(unix)]
                    Self::Gymnasium(config) => config.label(),
                }
            }

            /// Makes one such environment.
            ///
            /// # Errors
            /// [`crate::Error::Config`] for impossible settings; what else its own constructor says.
            pub fn make(&self) -> Result<Box<dyn Env>> {
                match self {
                    $(
                        $(#[cfg(feature = $feature)])?
                        Self::$variant(config) => Ok(Box::new(config.$make()?)),
                    )*
                    Self::Custom(config) => config.make(),
                    #[cfg(unix)]
                    Self::Gymnasium(config) => config.make(),
                }
            }
        }
    };
}

pub(super) use environments;
