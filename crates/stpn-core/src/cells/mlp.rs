//! A layer without memory, the baseline of tasks that need none.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::options::Activation;
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// Options of [`Mlp`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// The nonlinearity.
    pub activation: Activation,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { activation: Activation::Tanh }
    }
}

/// `h = activation(W x + b)`.
///
/// Parameters: `weight` `[H, I]`, `bias` `[H]`. No state.
#[derive(Debug)]
pub struct Mlp {
    parts: CellParts,
    activation: Activation,
    weight: Var,
    bias: Var,
}

impl Mlp {
    /// A layer with initial values U(±1/√I).
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(config: &MlpConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (input as f64).sqrt();
        let weight = parts.parameters.add("weight", &init.uniform((hidden, input), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        let kind = GatedKind::Mlp(config.activation);
        parts.fused = Some(Arc::new(GatedKernel::new(GatedSpec::new(kind, &parts.layout())?)));
        Ok(Self { parts, activation: config.activation, weight, bias })
    }
}

impl Cell for Mlp {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let pre = x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?;
        let hidden = match self.activation {
            Activation::Tanh => pre.tanh()?,
            Activation::Relu => pre.relu()?,
        };
        Ok(Step { hidden, state: State::new(state.batch(), Vec::new()) })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        Ok(energy_inputs(x, None, input_mask)?.matmul(&self.weight.abs()?.t()?)?)
    }
}
