//! The gated recurrent unit (Cho et al. 2014), as in PyTorch and cuDNN: the reset gate acts on the recurrent product.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sigmoid::sigmoid;
use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// Options of [`Gru`]: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GruConfig {}

/// Gates of a unit.
const GATES: usize = 3;

/// `r = σ(W_ir x + b_ir + W_hr h + b_hr)`, `z` likewise, `n = tanh(W_in x + b_in + r⊙(W_hn h + b_hn))`,
/// `h' = (1−z)⊙n + z⊙h`.
///
/// Parameters, their rows in the order r, z, n: `weight_ih` `[3H, I]`, `weight_hh` `[3H, H]`, `bias_ih` and `bias_hh`
/// `[3H]`. State: `h` `[H]`.
#[derive(Debug)]
pub struct Gru {
    parts: CellParts,
    input: Var,
    recurrent: Var,
    input_bias: Var,
    recurrent_bias: Var,
}

impl Gru {
    /// A cell with initial values U(±1/√H).
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(_: &GruConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let rows = GATES * hidden;
        parts.add_state("h", [hidden]);
        let add = &mut parts.parameters;
        let weight_ih = add.add("weight_ih", &init.uniform((rows, input), -bound, bound)?)?;
        let weight_hh = add.add("weight_hh", &init.uniform((rows, hidden), -bound, bound)?)?;
        let input_bias = add.add("bias_ih", &init.uniform(rows, -bound, bound)?)?;
        let recurrent_bias = add.add("bias_hh", &init.uniform(rows, -bound, bound)?)?;
        parts.fused = Some(Arc::new(GatedKernel::new(GatedSpec::new(GatedKind::Gru, &parts.layout())?)));
        Ok(Self { parts, input: weight_ih, recurrent: weight_hh, input_bias, recurrent_bias })
    }
}

impl Cell for Gru {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let activity = state.get("h")?;
        let from_input = x.matmul(&self.input.t()?)?.broadcast_add(&self.input_bias)?;
        let from_units = activity.matmul(&self.recurrent.t()?)?.broadcast_add(&self.recurrent_bias)?;
        let units = self.parts.hidden;
        let [reset, update] = [0, 1].map(|gate| -> Result<Tensor> {
            let of = |pre: &Tensor| pre.narrow(1, gate * units, units);
            sigmoid(&(of(&from_input)? + of(&from_units)?)?)
        });
        let [from_input, from_units] = [from_input, from_units].map(|pre| pre.narrow(1, 2 * units, units));
        let new = (from_input? + (reset? * from_units?)?)?.tanh()?;
        // (1 − z)⊙n + z⊙h
        let hidden = (&new + (update? * (activity - &new)?)?)?;
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone())]), hidden })
    }

    /// A neuron is one unit with its three gates.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let squares = energy_inputs(x, Some(state.get("h")?), input_mask)?;
        let weight = Tensor::cat(&[self.input.as_tensor(), self.recurrent.as_tensor()], 1)?.abs()?;
        let magnitudes = weight.reshape((GATES, self.parts.hidden, ()))?.sum(0)?;
        Ok(squares.matmul(&magnitudes.t()?)?)
    }
}
