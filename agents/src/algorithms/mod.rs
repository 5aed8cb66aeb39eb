//! Learning algorithms: how a rollout becomes a gradient.

pub mod a2c;
pub mod batch;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::config::RolloutConfig;
pub use a2c::A2cConfig;

/// Which algorithm, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum AlgorithmConfig {
    /// Synchronous advantage actor–critic.
    A2c(A2cConfig),
}

impl AlgorithmConfig {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::A2c(_) => "a2c",
        }
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the key and what is allowed.
    pub fn check(&self, _rollout: &RolloutConfig) -> Result<()> {
        match self {
            Self::A2c(config) => config.check(),
        }
    }
}
