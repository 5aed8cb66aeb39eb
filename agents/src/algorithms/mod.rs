//! Learning algorithms: how a rollout becomes gradient steps.

pub mod a2c;
pub mod batch;
pub mod objective;
pub mod ppo;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::advantage::Advantages;
use crate::collective::Exchange;
use crate::config::RolloutConfig;
use crate::optimizer::{Clock, Schedule};
use crate::policy::distribution::Distribution;
use crate::rollout::Fragment;
use crate::statistics::Moments;
use crate::{Error, Result};
pub use a2c::A2cConfig;
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

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self, rollout: &RolloutConfig) -> Result<()> {
        match self {
            Self::A2c(config) => config.check(),
            Self::Ppo(config) => {
                config.check()?;
                let steps = rollout.environments * rollout.steps;
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

/// When an update takes place.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The update's number, counted from 1.
    pub update: u64,
    /// How far the run had come before it.
    pub clock: Clock,
}

/// A rollout with its advantages.
pub struct Experience<'a> {
    /// By worker.
    pub fragments: Vec<&'a Fragment>,
    /// By worker.
    pub advantages: &'a [Advantages],
}

impl Experience<'_> {
    /// Steps of all environments.
    pub fn steps(&self) -> usize {
        self.fragments.iter().map(|fragment| fragment.shape.steps * fragment.shape.batch).sum()
    }
}

/// The mean, and the inverse of the deviation, by which advantages of these moments are standardised.
pub(crate) fn standard(advantages: Option<Moments>) -> (f64, f64) {
    advantages.map_or((0.0, 1.0), |moments| (moments.mean(), 1.0 / (moments.variance().sqrt() + 1e-8)))
}

/// Moments of each worker's advantages.
fn advantage_moments(advantages: &[Advantages]) -> Vec<Moments> {
    advantages.iter().map(|a| a.advantages.iter().map(|&a| f64::from(a)).collect()).collect()
}

/// 1 − Var(R − V) / Var(R): 1 = perfect values, 0 = no better than a constant. 0 where returns do not vary.
fn explained_variance(experience: &Experience<'_>, exchange: &Exchange) -> f64 {
    let workers = || experience.advantages.iter().zip(&experience.fragments);
    let returns: Vec<Moments> = workers().map(|(a, _)| a.returns.iter().map(|&r| f64::from(r)).collect()).collect();
    let errors: Vec<Moments> = workers()
        .map(|(a, fragment)| {
            a.returns.iter().zip(&fragment.values).map(|(&r, &v)| f64::from(r) - f64::from(v)).collect()
        })
        .collect();
    let (total, left) = (exchange.total(&returns).variance(), exchange.total(&errors).variance());
    if total > 0.0 { 1.0 - left / total } else { 0.0 }
}

fn check_discounts(gamma: f64, gae_lambda: f64) -> Result<()> {
    for (key, value) in [("algorithm.gamma", gamma), ("algorithm.gae_lambda", gae_lambda)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::config(key, format!("must lie in [0, 1], got {value}")));
        }
    }
    Ok(())
}

fn check_coefficients(coefficients: &[(&str, f64)]) -> Result<()> {
    for &(key, value) in coefficients {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::config(key, format!("must be finite and not negative, got {value}")));
        }
    }
    Ok(())
}
