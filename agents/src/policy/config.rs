//! The configuration of a policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_core::{CellConfig, Kernel};

use super::distribution::GaussianConfig;
use super::encoder::EncoderConfig;
use super::initialization::Initialization;
use super::trunk::TrunkConfig;
use crate::config::{check_cell, hidden};
use crate::{Error, Result};

/// The network of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Units of the recurrent layer.
    #[serde(default = "hidden")]
    #[schemars(extend("x-sb3" = "lstm_hidden_size"))]
    pub hidden: usize,
    /// Which implementation runs sequences through the recurrent layer.
    #[serde(default)]
    pub kernel: Kernel,
    /// Whether the value head shares the policy's trunk.
    #[serde(default)]
    pub critic: Critic,
    /// How the weights of encoder and heads begin. Cells have their own way.
    #[serde(default)]
    #[schemars(extend("x-sb3" = "ortho_init"))]
    pub initialization: Initialization,
    /// Factor on what the encoder gives to the recurrent layer, above 0. A plastic cell that divides by the norms of its
    /// weights sees little of few inputs beside many units, and of many inputs that hardly differ: a larger factor lets
    /// it see more. Published: 1.
    #[serde(default = "one")]
    pub input_scale: f64,
    /// Factor on the policy head's initial weights; small values start near the uniform policy.
    #[serde(default = "one")]
    pub policy_gain: f64,
    /// From observations to the recurrent layer's input.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// Options for continuous actions.
    #[serde(default)]
    pub gaussian: GaussianConfig,
    /// The recurrent layer.
    pub cell: CellConfig,
}

/// Where values come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Critic {
    /// A head on the policy's trunk (the published runs).
    #[default]
    Shared,
    /// A head on a trunk of its own: twice the parameters, the recurrent state and the work.
    Separate,
}

impl PolicyConfig {
    /// A network of the published form.
    pub fn new(cell: CellConfig, hidden: usize) -> Self {
        Self {
            hidden,
            kernel: Kernel::Auto,
            critic: Critic::Shared,
            initialization: Initialization::Uniform,
            input_scale: 1.0,
            policy_gain: 1.0,
            encoder: EncoderConfig::default(),
            gaussian: GaussianConfig::default(),
            cell,
        }
    }

    /// What each trunk is made from.
    pub(crate) fn trunk(&self) -> TrunkConfig<'_> {
        TrunkConfig {
            hidden: self.hidden,
            kernel: self.kernel,
            initialization: self.initialization,
            input_scale: self.input_scale,
            encoder: &self.encoder,
            cell: &self.cell,
        }
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        if self.hidden == 0 {
            return Err(Error::config("policy.hidden", "must be at least 1"));
        }
        if !(self.policy_gain.is_finite() && self.policy_gain >= 0.0) {
            let problem = format!("must be finite and not negative, got {}", self.policy_gain);
            return Err(Error::config("policy.policy_gain", problem));
        }
        if !(self.input_scale.is_finite() && self.input_scale > 0.0) {
            let problem = format!("must be finite and above 0, got {}", self.input_scale);
            return Err(Error::config("policy.input_scale", problem));
        }
        self.encoder.check()?;
        check_cell(&self.cell)?;
        self.gaussian.check()
    }
}

fn one() -> f64 {
    1.0
}
