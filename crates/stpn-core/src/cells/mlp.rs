//! A layer without memory, the baseline of tasks that need none.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::FusedKernel;
use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::options::Activation;
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Kernel, Result, State, Step};

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
    fused: Arc<GatedKernel>,
}

impl Mlp {
    /// A layer with initial values U(±1/√I).
    ///
    /// # Errors
    /// [`crate::Error::Config`] on impossible sizes.
    pub fn new(
        config: &MlpConfig,
        input: usize,
        hidden: usize,
        kernel: Kernel,
        init: &mut Initializer,
    ) -> Result<Self> {
        let mut parts = CellParts::new(input, hidden, kernel)?;
        let bound = 1.0 / (input as f64).sqrt();
        let weight = parts.parameters.add("weight", &init.uniform((hidden, input), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        let kind = GatedKind::Mlp(config.activation);
        let fused = Arc::new(GatedKernel::new(GatedSpec { kind, input, hidden }));
        Ok(Self { parts, activation: config.activation, weight, bias, fused })
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

    fn fused(&self) -> Option<Arc<dyn FusedKernel>> {
        Some(Arc::clone(&self.fused) as Arc<dyn FusedKernel>)
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        Ok(energy_inputs(x, None, input_mask)?.matmul(&self.weight.abs()?.t()?)?)
    }
}
