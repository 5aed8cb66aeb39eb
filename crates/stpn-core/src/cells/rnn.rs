//! The plain recurrent network (Elman 1990).

use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::gated::{GatedKernel, GatedKind, GatedSpec};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// Options of [`Rnn`]; the default is the one of the published comparisons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RnnConfig {
    /// Two matrices, `weight_ih` and `weight_hh`, in place of one for inputs and activity together. The same
    /// function: only the names and shapes of the parameters differ.
    pub split: bool,
}

/// `h' = tanh(W [x ; h] + b)`.
///
/// Parameters: `weight` `[I+H, H]`, or `weight_ih` `[H, I]` and `weight_hh` `[H, H]`; `bias` `[H]`. State: `h` `[H]`.
#[derive(Debug)]
pub struct Rnn {
    parts: CellParts,
    weight: Weight,
    bias: Var,
}

/// The weights, in one matrix or two.
#[derive(Debug)]
enum Weight {
    Joined(Var),
    Split { input: Var, recurrent: Var },
}

impl Rnn {
    /// A cell with initial values U(±1/√H).
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(config: &RnnConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let add = &mut parts.parameters;
        let weight = match config.split {
            false => Weight::Joined(add.add("weight", &init.uniform((input + hidden, hidden), -bound, bound)?)?),
            true => Weight::Split {
                input: add.add("weight_ih", &init.uniform((hidden, input), -bound, bound)?)?,
                recurrent: add.add("weight_hh", &init.uniform((hidden, hidden), -bound, bound)?)?,
            },
        };
        let bias = add.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        parts.add_state("h", [hidden]);
        parts.fused = Some(Arc::new(GatedKernel::new(GatedSpec::new(GatedKind::Rnn, &parts.layout())?)));
        Ok(Self { parts, weight, bias })
    }

    /// The weights as one matrix `[I+H, H]`.
    fn joined(&self) -> Result<Tensor> {
        match &self.weight {
            Weight::Joined(weight) => Ok(weight.as_tensor().clone()),
            Weight::Split { input, recurrent } => Ok(Tensor::cat(&[&input.t()?, &recurrent.t()?], 0)?),
        }
    }
}

impl Cell for Rnn {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let activity = state.get("h")?;
        let pre = match &self.weight {
            Weight::Joined(weight) => Tensor::cat(&[x, activity], 1)?.matmul(weight)?,
            Weight::Split { input, recurrent } => (x.matmul(&input.t()?)? + activity.matmul(&recurrent.t()?)?)?,
        };
        let hidden = pre.broadcast_add(&self.bias)?.tanh()?;
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone())]), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        Ok(energy_inputs(x, Some(state.get("h")?), input_mask)?.matmul(&self.joined()?.abs()?)?)
    }
}
