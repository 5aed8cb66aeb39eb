//! The configuration of a run: one typed value, from which the run can be repeated.

mod agent;
pub mod catalogue;
mod cell;
mod check;
mod compute_device;
mod document;
pub mod nearest;
pub mod normal;
mod rollout;
mod schema;
mod sections;
pub mod shape;
mod validation;

use serde::{Deserialize, Serialize};
use stpn_core::{CellConfig, Kernel};
use stpn_envs::EnvConfig;
use stpn_envs::registry::missing_feature;

pub use agent::{AgentConfig, EvaluationConfig};
pub(crate) use cell::check_cell;
pub use compute_device::ComputeDevice;
pub use document::{Detail, document};
pub use rollout::{EnvFailure, RolloutConfig};
pub use schema::json_schema;
pub use sections::{CheckpointConfig, LogConfig, TrainingConfig};
pub(crate) use sections::{hidden, one};

use crate::optimizer::AdamConfig;
use crate::policy::encoder::EncoderConfig;
use crate::saved::Progress;
use crate::supervised::SupervisedConfig;
use crate::{Error, Result, keys};

/// What stands before the number of the arithmetic in the first line of a written configuration.
const NUMERICS_LINE: &str = "# numerics ";

/// Everything that determines a run's result, and how it is logged and saved.
///
/// In TOML the section `task` makes it a supervised one, `env` an agent's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub enum RunConfig {
    /// An agent in an environment.
    Agent(AgentConfig),
    /// A network on a supervised task.
    Supervised(SupervisedConfig),
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> &$type {
                match self {
                    Self::Agent(config) => &config.$name,
                    Self::Supervised(config) => &config.$name,
                }
            }

            $(#[$doc])*
            pub fn $name_mut(&mut self) -> &mut $type {
                match self {
                    Self::Agent(config) => &mut config.$name,
                    Self::Supervised(config) => &mut config.$name,
                }
            }
        )*
    };
}

/// What every run has.
impl RunConfig {
    sections! {
        /// Seed of every random stream.
        seed, seed_mut: u64;
        /// How long to train, and on what.
        training, training_mut: TrainingConfig;
        /// The optimiser.
        optimizer, optimizer_mut: AdamConfig;
        /// When checkpoints are written and which are kept.
        checkpoint, checkpoint_mut: CheckpointConfig;
        /// What is logged how often.
        log, log_mut: LogConfig;
    }
}

macro_rules! network {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident: $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> &$type {
                match self {
                    Self::Agent(config) => &config.policy.$name,
                    Self::Supervised(config) => &config.policy.$name,
                }
            }

            $(#[$doc])*
            pub fn $name_mut(&mut self) -> &mut $type {
                match self {
                    Self::Agent(config) => &mut config.policy.$name,
                    Self::Supervised(config) => &mut config.policy.$name,
                }
            }
        )*
    };
}

/// What every network has.
impl RunConfig {
    network! {
        /// Units of the recurrent layer.
        hidden, hidden_mut: usize;
        /// Which path sequences take.
        kernel, kernel_mut: Kernel;
        /// From observations to the recurrent layer's input.
        encoder, encoder_mut: EncoderConfig;
        /// The recurrent layer.
        cell, cell_mut: CellConfig;
    }
}

impl RunConfig {
    /// Name of the environment or of the supervised task.
    pub fn experiment(&self) -> &str {
        match self {
            Self::Agent(config) => config.env.name(),
            Self::Supervised(config) => config.task.name(),
        }
    }

    /// True if nothing is left to do.
    pub fn finished(&self, progress: &Progress) -> bool {
        match self {
            Self::Agent(config) => config.finished(progress),
            Self::Supervised(config) => config.finished(progress),
        }
    }

    /// The agent's configuration.
    ///
    /// # Errors
    /// [`Error::Config`] if this is a supervised task's.
    pub fn agent(&self) -> Result<&AgentConfig> {
        match self {
            Self::Agent(config) => Ok(config),
            Self::Supervised(config) => {
                let problem = format!("`{}` is a supervised task and has no environment", config.task.name());
                Err(Error::config("task", problem))
            }
        }
    }

    /// Refuses impossible values, naming the key.
    ///
    /// # Errors
    /// [`Error::Config`] with what is allowed.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Agent(config) => config.check(),
            Self::Supervised(config) => config.check(),
        }
    }

    /// The configuration as TOML: every key with its value, those that are not set as comments.
    ///
    /// # Errors
    /// [`Error::Config`] if a value has no TOML form (a number beyond 2⁶³).
    pub fn to_toml(&self) -> Result<String> {
        Ok(format!("{NUMERICS_LINE}{}\n{}", self.numerics(), self.document(Detail::Values)?))
    }

    /// Every key with its value, those that are not set as comments, and what each is for.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn described(&self) -> Result<String> {
        self.document(Detail::Described)
    }

    fn document(&self, detail: Detail) -> Result<String> {
        let keys = match self {
            Self::Agent(_) => shape::agent(),
            Self::Supervised(_) => shape::supervised(),
        };
        Ok(document(keys, &self.table()?, detail))
    }

    /// The configuration as a table.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn table(&self) -> Result<toml::Table> {
        toml::Table::try_from(self).map_err(|error| Error::config("(whole)", error.to_string()))
    }

    /// The number of the arithmetic with which this program runs it.
    pub fn numerics(&self) -> u32 {
        self.training().device.numerics()
    }

    /// The number of the arithmetic in the first line of a configuration that [`RunConfig::to_toml`] wrote; 0 in older
    /// ones.
    pub fn numerics_of(toml: &str) -> u32 {
        let line = toml.lines().next().and_then(|line| line.strip_prefix(NUMERICS_LINE));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Every key with its value, dotted.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn keys(&self) -> Result<Vec<(String, toml::Value)>> {
        Ok(keys::flat(&self.table()?))
    }

    /// The schedules that end where the run is planned to end.
    pub fn schedules_of_its_length(&self) -> Vec<&'static str> {
        let mut schedules = vec![("optimizer.learning_rate", self.optimizer().learning_rate)];
        if let Self::Agent(config) = self {
            schedules.extend(config.algorithm.schedules());
        }
        schedules.into_iter().filter(|(_, schedule)| schedule.ends_with_the_run()).map(|(key, _)| key).collect()
    }

    /// Reads a configuration from TOML.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key, with the allowed values.
    pub fn from_table(table: toml::Table) -> Result<Self> {
        let config = Self::parse(table)?;
        config.check()?;
        Ok(config)
    }

    /// [`RunConfig::from_table`] without a look at how the values go together.
    pub(crate) fn parse(mut table: toml::Table) -> Result<Self> {
        normal::normal(&mut table);
        Ok(match (table.contains_key("task"), table.contains_key("env")) {
            (true, false) => {
                check::check(shape::supervised(), &mut table)?;
                Self::Supervised(keys::read(table)?)
            }
            (false, true) => {
                // Asked first: to the reader, what this build leaves out does not exist.
                let name = keys::get(&table, "env.name").and_then(toml::Value::as_str);
                if let Some((name, feature)) = name.and_then(|name| Some((name, missing_feature(name)?))) {
                    return Err(stpn_envs::Error::NotBuilt { name: name.into(), feature }.into());
                }
                normal::complete(&mut table);
                check::check(shape::agent(), &mut table)?;
                Self::Agent(keys::read(table)?)
            }
            (true, true) => return Err(Error::config("task", "excludes `env`: a run has one of the two")),
            (false, false) => return Err(Error::config("env", "is missing (or `task`, for a supervised task)")),
        })
    }
}

/// The environment of a table that has nothing but `env`.
///
/// # Errors
/// [`Error::Config`] naming the key, with the allowed values.
pub fn environment(mut table: toml::Table) -> Result<EnvConfig> {
    #[derive(Deserialize)]
    struct Only {
        env: EnvConfig,
    }

    normal::normal(&mut table);
    let env: Vec<shape::Key> = shape::agent().iter().filter(|key| key.name == "env").cloned().collect();
    check::check(&env, &mut table)?;
    Ok(keys::read::<Only>(table)?.env)
}
