//! Learning algorithms: how a rollout becomes gradient steps.

pub mod a2c;
pub mod batch;
mod coefficients;
mod experience;
pub mod objective;
pub mod ppo;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimizer::Schedule;
use crate::policy::distribution::Distribution;
use crate::{Error, Result};
pub use a2c::A2cConfig;
pub use experience::{Experience, Moment};
pub use ppo::{PpoConfig, PpoState};

/// Which algorithm, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum AlgorithmConfig {
    /// Synchronous advantage actor–critic.
    A2c(A2cConfig),
    /// Proximal policy optimisation.
    Ppo(PpoConfig),
}

impl AlgorithmConfig {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::A2c(_) => "a2c",
            Self::Ppo(_) => "ppo",
        }
    }

    /// Discount factor γ.
    pub fn gamma(&self) -> f64 {
        match self {
            Self::A2c(config) => config.gamma,
            Self::Ppo(config) => config.gamma,
        }
    }

    /// λ of generalised advantage estimation.
    pub fn gae_lambda(&self) -> f64 {
        match self {
            Self::A2c(config) => config.gae_lambda,
            Self::Ppo(config) => config.gae_lambda,
        }
    }

    /// Whether rewards are clipped to their sign before learning.
    pub fn clip_rewards(&self) -> bool {
        match self {
            Self::A2c(config) => config.clip_rewards,
            Self::Ppo(config) => config.clip_rewards,
        }
    }

    /// What may change over a run, by key.
    pub(crate) fn schedules(&self) -> Vec<(&'static str, Schedule)> {
        match self {
            Self::A2c(config) => vec![("algorithm.entropy_coefficient", config.entropy_coefficient)],
            Self::Ppo(config) => {
                vec![("algorithm.clip", config.clip), ("algorithm.entropy_coefficient", config.entropy_coefficient)]
            }
        }
    }

    /// Refuses impossible values; a rollout has so many `steps`, over all environments.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self, steps: usize) -> Result<()> {
        match self {
            Self::A2c(config) => config.check(),
            Self::Ppo(config) => {
                config.check()?;
                if config.minibatch_size > steps {
                    let problem = format!("must be at most the {steps} steps of a rollout");
                    return Err(Error::config("algorithm.minibatch_size", problem));
                }
                Ok(())
            }
        }
    }

    /// Refuses what does not go with a kind of action.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and the remedy.
    pub fn check_distribution(&self, distribution: &Distribution) -> Result<()> {
        match (self, distribution) {
            (Self::A2c(config), Distribution::Gaussian(_)) if config.concentration_coefficient > 0.0 => {
                let problem = "needs discrete actions; set it to 0";
                Err(Error::config("algorithm.concentration_coefficient", problem))
            }
            _ => Ok(()),
        }
    }
}
