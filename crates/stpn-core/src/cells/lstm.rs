//! Long short-term memory (Hochreiter, Schmidhuber 1997; forget gate of Gers et al. 2000).

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer_norm::LayerNorm;
use super::sigmoid::sigmoid;
use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// Options of [`Lstm`]; the default is the one of the published comparisons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LstmConfig {
    /// Two matrices and two biases, as in cuDNN and PyTorch, in place of one of each.
    pub split: bool,
    /// Layer-normalise all 4H gate pre-activations together.
    pub layer_norm: bool,
}

/// `c' = σ(f)⊙c + σ(i)⊙tanh(g)`, `h' = σ(o)⊙tanh(c')`, the gates i, f, g, o being the four blocks of `W [x ; h] + b`.
///
/// Parameters: `weight` `[4H, I+H]` and `bias` `[4H]`, or `weight_ih` `[4H, I]`, `weight_hh` `[4H, H]`, `bias_ih` and
/// `bias_hh` `[4H]`; `layer_norm.*` `[4H]`. State: `h` and `c`, both `[H]`.
#[derive(Debug)]
pub struct Lstm {
    parts: CellParts,
    gates: Gates,
    layer_norm: Option<LayerNorm>,
}

/// Weights and biases, joined or split.
#[derive(Debug)]
enum Gates {
    Joined { weight: Var, bias: Var },
    Split { input: Var, recurrent: Var, input_bias: Var, recurrent_bias: Var },
}

impl Lstm {
    /// A cell with initial values U(±1/√H).
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(config: &LstmConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let rows = 4 * hidden;
        let add = &mut parts.parameters;
        let gates = match config.split {
            false => Gates::Joined {
                weight: add.add("weight", &init.uniform((rows, input + hidden), -bound, bound)?)?,
                bias: add.add("bias", &init.uniform(rows, -bound, bound)?)?,
            },
            true => Gates::Split {
                input: add.add("weight_ih", &init.uniform((rows, input), -bound, bound)?)?,
                recurrent: add.add("weight_hh", &init.uniform((rows, hidden), -bound, bound)?)?,
                input_bias: add.add("bias_ih", &init.uniform(rows, -bound, bound)?)?,
                recurrent_bias: add.add("bias_hh", &init.uniform(rows, -bound, bound)?)?,
            },
        };
        let layer_norm = match config.layer_norm {
            true => Some(LayerNorm::new(add, rows, init)?),
            false => None,
        };
        parts.add_state("h", [hidden]);
        parts.add_state("c", [hidden]);
        parts.fused = Some(Arc::new(GatedKernel::new(GatedSpec::new(GatedKind::Lstm, &parts.layout())?)));
        Ok(Self { parts, gates, layer_norm })
    }
}

impl Cell for Lstm {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let activity = state.get("h")?;
        let mut pre = match &self.gates {
            Gates::Joined { weight, bias } => {
                Tensor::cat(&[x, activity], 1)?.matmul(&weight.t()?)?.broadcast_add(bias)?
            }
            Gates::Split { input, recurrent, input_bias, recurrent_bias } => {
                let from_input = x.matmul(&input.t()?)?.broadcast_add(input_bias)?;
                (from_input + activity.matmul(&recurrent.t()?)?.broadcast_add(recurrent_bias)?)?
            }
        };
        if let Some(layer_norm) = &self.layer_norm {
            pre = layer_norm.forward(&pre)?;
        }
        let units = self.parts.hidden;
        let gate = |index: usize| pre.narrow(1, index * units, units);
        let written = (sigmoid(&gate(0)?)? * gate(2)?.tanh()?)?;
        let memory = ((sigmoid(&gate(1)?)? * state.get("c")?)? + written)?;
        let hidden = (sigmoid(&gate(3)?)? * memory.tanh()?)?;
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone()), ("c", memory)]), hidden })
    }

    /// A neuron is one unit with its four gates.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let squares = energy_inputs(x, Some(state.get("h")?), input_mask)?;
        let weight = match &self.gates {
            Gates::Joined { weight, .. } => weight.as_tensor().clone(),
            Gates::Split { input, recurrent, .. } => Tensor::cat(&[input.as_tensor(), recurrent.as_tensor()], 1)?,
        };
        let magnitudes = weight.abs()?.reshape((4, self.parts.hidden, ()))?.sum(0)?;
        Ok(squares.matmul(&magnitudes.t()?)?)
    }
}
