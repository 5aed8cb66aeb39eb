//! Nonlinearities of layers without memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The nonlinearity of [`crate::cells::Mlp`] and of affine layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Hyperbolic tangent.
    Tanh,
    /// max(0, ·).
    Relu,
}
