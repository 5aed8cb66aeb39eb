//! Options of the STPN.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Options of [`crate::cells::Stpn`]; the default is the paper's recurrent cell (Rodriguez, Guo, Moraitis 2022, eqs. 1–4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StpnConfig {
    /// Whether activities feed back: the presynaptic input z is [x ; h] (STPN), or x alone (STPNf).
    pub recurrent: bool,
    /// Divide the pre-activation of each unit by the norm of its effective weights W + F.
    pub normalize_forward: bool,
    /// When the fast weights are normalised; `after` in the published maze runs.
    pub normalize_state: NormalizeState,
    /// Whose norm divides the fast weights. `F` has no fused kernel and is slow.
    pub norm_of: NormOf,
    /// Limits the fast weights to ±this; 1 in the published maze runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clamp: Option<f64>,
    /// The plasticity rule. `oja` has no fused kernel and is slow.
    pub rule: Rule,
    /// What the decay λ multiplies. F̂ are the fast weights before the update, γ the rate, h the activity, z the
    /// presynaptic input.
    pub decay: Decay,
    /// Which synapses have fast weights.
    pub plastic: Plastic,
    /// How many decays λ and rates γ are trained.
    pub granularity: Granularity,
    /// Add a trained bias to the pre-activation.
    pub bias: bool,
    /// Layer-normalise the pre-activation, bias included.
    pub layer_norm: bool,
    /// Give the bias a plastic part with its own λ and γ.
    pub plastic_bias: bool,
    /// Start with decays λ = exp(−1/τ), their time constants τ log-uniform from 1 to this many steps; not set = λ
    /// uniform from 0 to 1, as published. More than 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_memory: Option<f64>,
    /// Start with rates γ uniform within ± this multiple of 1/√H, H being the units (STPNf: 1/√I, inputs). Published:
    /// 0.001.
    pub initial_rate: f64,
    /// Start with weights whose row norms are all this; not set = weights uniform within ±1/√H (STPNf: ±1/√I), as
    /// published. The norm divides the fast weights at every step: if it is above 1, they fade faster than λ says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_norm: Option<f64>,
}

impl Default for StpnConfig {
    fn default() -> Self {
        Self {
            recurrent: true,
            normalize_forward: true,
            normalize_state: NormalizeState::Before,
            norm_of: NormOf::G,
            clamp: None,
            rule: Rule::Hebb,
            decay: Decay::Old,
            plastic: Plastic::All,
            granularity: Granularity::Synapse,
            bias: true,
            layer_norm: false,
            plastic_bias: false,
            initial_memory: None,
            initial_rate: 0.001,
            initial_norm: None,
        }
    }
}

impl StpnConfig {
    /// STPNf as in the paper's ablations: only the forward pass is normalised, and there is no bias.
    pub fn feed_forward() -> Self {
        Self { recurrent: false, normalize_state: NormalizeState::None, bias: false, ..Self::default() }
    }

    /// Refuses impossible values and contradictions.
    ///
    /// # Errors
    /// [`Error::Config`] with the offending key.
    pub fn check(&self) -> Result<()> {
        let refuse = |key, problem: String| Err(Error::Config { key, problem });
        match self.clamp {
            Some(bound) if !(bound.is_finite() && bound > 0.0) => {
                return refuse("clamp", format!("is {bound}; allowed are positive numbers, or none at all"));
            }
            _ => {}
        }
        if let Some(steps) = self.initial_memory.filter(|steps| !(steps.is_finite() && *steps > 1.0)) {
            return refuse(
                "initial_memory",
                format!("is {steps}; allowed are numbers of steps above 1, or none at all"),
            );
        }
        if !(self.initial_rate.is_finite() && self.initial_rate > 0.0) {
            return refuse("initial_rate", format!("is {}; allowed are positive numbers", self.initial_rate));
        }
        if let Some(norm) = self.initial_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return refuse("initial_norm", format!("is {norm}; allowed are positive numbers, or none at all"));
        }
        if self.plastic == Plastic::Recurrent && !self.recurrent {
            return refuse("plastic", "is recurrent, but with recurrent = false there are only inputs".into());
        }
        if self.norm_of == NormOf::F && self.normalize_state == NormalizeState::None {
            return refuse(
                "norm_of",
                "is F, but with normalize_state = \"none\" no norm divides the fast weights".into(),
            );
        }
        if self.plastic_bias && !self.bias {
            return refuse("plastic_bias", "is true, but with bias = false there is no bias".into());
        }
        Ok(())
    }

    /// Size D of the presynaptic vector of a layer of `input` inputs and `hidden` units.
    pub(crate) fn width(&self, input: usize, hidden: usize) -> usize {
        if self.recurrent { input + hidden } else { input }
    }

    /// The columns of that vector with fast weights.
    pub(crate) fn plastic_columns(&self, input: usize, hidden: usize) -> Range<usize> {
        match self.plastic {
            Plastic::All => 0..self.width(input, hidden),
            Plastic::Input => 0..input,
            Plastic::Recurrent => input..self.width(input, hidden),
        }
    }
}

/// Where the fast weights are divided by a row norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeState {
    /// Nowhere.
    None,
    /// Before the update: F̂ = F / n (the paper's cell).
    Before,
    /// After the update and the clamp, by the norm of the new weights (the published maze runs).
    After,
}

/// Whose row norm divides the fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NormOf {
    /// The effective weights G = W + F.
    G,
    /// The fast weights F alone.
    F,
}

/// The plasticity rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// h ⊗ z.
    Hebb,
    /// h ⊗ (z − F̂ᵀh), Oja's subspace rule.
    Oja,
}

/// What λ multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// The old fast weights: λ⊙F̂ + γ⊙(h ⊗ z).
    Old,
    /// Everything: λ⊙(F̂ + γ⊙(h ⊗ z)).
    All,
}

/// Which synapses have fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Plastic {
    /// All.
    All,
    /// Those from the inputs.
    Input,
    /// Those from the units.
    Recurrent,
}

/// How many λ and γ there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// One for each plastic synapse.
    Synapse,
    /// One for all.
    Scalar,
    /// One for each presynaptic element.
    Presynaptic,
}
