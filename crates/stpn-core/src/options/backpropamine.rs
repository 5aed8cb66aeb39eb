//! Options of differentiable plasticity and Backpropamine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limit of the clamped bounds.
pub(crate) const LIMIT: f64 = 1.0;
/// Limit of the soft clamp in the published retroactive form.
pub(crate) const RETROACTIVE_SOFT_LIMIT: f64 = 0.99999;

/// Options of [`crate::cells::Backpropamine`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackpropamineConfig {
    /// What sets the rate of change.
    pub modulation: Modulation,
    /// How a change mΔ is added to the fast weights F so that they stay bounded: m is the rate of `modulation`, Δ the
    /// Hebbian change, ⁺ and ⁻ its positive and negative part.
    pub bound: Bound,
}

impl Default for BackpropamineConfig {
    fn default() -> Self {
        Self { modulation: Modulation::Network, bound: Bound::SoftClamp }
    }
}

/// What sets the rate m with which the fast weights change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Modulation {
    /// A trained scalar, m = η: differentiable plasticity.
    Constant,
    /// The network itself, m = tanh(v·h' + v₀): Backpropamine.
    Network,
    /// The network, acting on an eligibility trace of past changes: retroactive Backpropamine.
    Retroactive,
}

/// How a change mΔ is applied to the fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// F + mΔ, clamped at ±1.
    HardClamp,
    /// F + (mΔ)⁺(1−F) + (mΔ)⁻(F+1), clamped at ±1 (retroactive: ±0.99999).
    SoftClamp,
    /// F + mΔ.
    Additive,
    /// (1−m)F + mΔ.
    Decay,
}
