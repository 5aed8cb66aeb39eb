//! Options of the fast weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Options of [`crate::cells::FastWeights`]; the default is the published setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FastWeightsConfig {
    /// Inner steps S, in which the fast weights act on the activity.
    pub inner_steps: usize,
    /// What remains of the fast weights from step to step.
    pub decay: f64,
    /// How fast they learn.
    pub rate: f64,
    /// Layer-normalise every inner step.
    pub layer_norm: bool,
}

impl Default for FastWeightsConfig {
    fn default() -> Self {
        Self { inner_steps: 1, decay: 0.9, rate: 0.5, layer_norm: true }
    }
}

impl FastWeightsConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] with the offending key.
    pub fn check(&self) -> Result<()> {
        if self.inner_steps == 0 {
            return Err(Error::Config { key: "inner_steps", problem: "is 0; at least 1 is needed".into() });
        }
        if !(0.0..=1.0).contains(&self.decay) {
            return Err(Error::Config { key: "decay", problem: format!("is {}; allowed is 0 to 1", self.decay) });
        }
        if !(self.rate.is_finite() && self.rate >= 0.0) {
            let problem = format!("is {}; allowed are numbers from 0 up", self.rate);
            return Err(Error::Config { key: "rate", problem });
        }
        Ok(())
    }
}
