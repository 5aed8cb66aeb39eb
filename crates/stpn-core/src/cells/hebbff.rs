//! HebbFF: a feed-forward network with anti-Hebbian plasticity.
//!
//! Source: Tyulmankov, Yang, Abbott, "Meta-learning synaptic plasticity and memory addressing for continual
//! familiarity detection", Neuron 2022.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sigmoid::sigmoid;
use crate::kernels::plastic::{PlasticKernel, PlasticSpec};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// λ before training (published setting).
const INITIAL_LAMBDA: f64 = 0.99;
/// −γ·H before training (published setting).
const INITIAL_GAMMA_TIMES_UNITS: f64 = 5.0;

/// Options of [`HebbFf`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HebbFfConfig {}

/// `h' = σ((W + F) x + b)`, `F' = λF + γ·(h' ⊗ x)` with scalars λ = σ(λ_raw) and γ = −exp(γ_raw) < 0.
///
/// Parameters: `weight` `[H, I]`, `bias` `[H]`, `lambda_raw` and `gamma_raw` `[]`. State: `F` `[H, I]`.
#[derive(Debug)]
pub struct HebbFf {
    parts: CellParts,
    weight: Var,
    bias: Var,
    lambda_raw: Var,
    gamma_raw: Var,
}

impl HebbFf {
    /// A network with initial values W, b ~ U(±1/√I), λ = 0.99, γ = −5/H.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(_: &HebbFfConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (input as f64).sqrt();
        let logit = (INITIAL_LAMBDA / (1.0 - INITIAL_LAMBDA)).ln();
        let log_rate = (INITIAL_GAMMA_TIMES_UNITS / hidden as f64).ln();
        let add = &mut parts.parameters;
        let weight = add.add("weight", &init.uniform((hidden, input), -bound, bound)?)?;
        let bias = add.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        let lambda_raw = add.add("lambda_raw", &init.constant((), logit)?)?;
        let gamma_raw = add.add("gamma_raw", &init.constant((), log_rate)?)?;
        parts.add_state("F", [hidden, input]);
        parts.fused = Some(Arc::new(PlasticKernel::new(PlasticSpec::hebbff(&parts.layout())?)));
        Ok(Self { parts, weight, bias, lambda_raw, gamma_raw })
    }
}

impl Cell for HebbFf {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// Per synapse W + F, its product, and the two products of λF + γhx.
    fn multiply_adds(&self) -> usize {
        4 * self.weight.elem_count()
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let fast = state.get("F")?;
        let pre = fast.broadcast_add(&self.weight)?.matmul(&x.unsqueeze(2)?)?.squeeze(2)?;
        let hidden = sigmoid(&pre.broadcast_add(&self.bias)?)?;
        let decayed = fast.broadcast_mul(&sigmoid(&self.lambda_raw)?)?;
        let change = hidden.unsqueeze(2)?.matmul(&x.unsqueeze(1)?)?.broadcast_mul(&self.gamma_raw.exp()?)?;
        Ok(Step { state: State::new(state.batch(), vec![("F", (decayed - change)?)]), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let effective = state.get("F")?.broadcast_add(&self.weight)?;
        Ok(effective.abs()?.matmul(&energy_inputs(x, None, input_mask)?.unsqueeze(2)?)?.squeeze(2)?)
    }
}
