//! Fast weights with inner steps.
//!
//! Source: Ba, Hinton, Mnih, Leibo, Ionescu, "Using Fast Weights to Attend to the Recent Past", NeurIPS 2016.

use std::sync::Arc;

use candle_core::{Tensor, Var};

use super::layer_norm::LayerNorm;
use crate::kernels::attentive::{AttentiveKernel, AttentiveSpec};
use crate::options::FastWeightsConfig;
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// `F' = decay·F + rate·(h ⊗ h)`, `p = W [x ; h] + b`, `h⁰ = tanh(LN(p))`, `hˢ⁺¹ = tanh(LN(p + F' hˢ))`, `h' = h^S`.
///
/// One layer norm serves all inner steps. Parameters: `weight` `[H, I+H]`, `bias` `[H]`, `layer_norm.*` `[H]`.
/// State: `h` `[H]`, `F` `[H, H]`.
#[derive(Debug)]
pub struct FastWeights {
    parts: CellParts,
    config: FastWeightsConfig,
    weight: Var,
    bias: Var,
    layer_norm: Option<LayerNorm>,
}

/// The inside of one step.
struct Inner {
    /// F', used in this step.
    fast: Tensor,
    /// h⁰ to h^S.
    activities: Vec<Tensor>,
}

impl FastWeights {
    /// A cell with initial values U(±1/√H).
    ///
    /// # Errors
    /// [`crate::Error::Config`] on impossible options.
    pub fn new(config: &FastWeightsConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        config.check()?;
        let (input, hidden) = (parts.input, parts.hidden);
        let bound = 1.0 / (hidden as f64).sqrt();
        let add = &mut parts.parameters;
        let weight = add.add("weight", &init.uniform((hidden, input + hidden), -bound, bound)?)?;
        let bias = add.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        let layer_norm = match config.layer_norm {
            true => Some(LayerNorm::new(add, hidden, init)?),
            false => None,
        };
        parts.add_state("h", [hidden]);
        parts.add_state("F", [hidden, hidden]);
        parts.fused = Some(Arc::new(AttentiveKernel::new(AttentiveSpec::new(config, &parts.layout())?)));
        Ok(Self { parts, config: config.clone(), weight, bias, layer_norm })
    }

    /// Activation of a pre-activation.
    fn activate(&self, pre: &Tensor) -> Result<Tensor> {
        match &self.layer_norm {
            Some(layer_norm) => Ok(layer_norm.forward(pre)?.tanh()?),
            None => Ok(pre.tanh()?),
        }
    }

    fn inner(&self, x: &Tensor, state: &State) -> Result<Inner> {
        self.parts.check_step(x, state)?;
        let activity = state.get("h")?;
        let learned = activity.unsqueeze(2)?.matmul(&activity.unsqueeze(1)?)?;
        let fast = ((state.get("F")? * self.config.decay)? + (learned * self.config.rate)?)?;
        let slow = Tensor::cat(&[x, activity], 1)?.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?;
        let mut current = self.activate(&slow)?;
        let mut activities = Vec::with_capacity(self.config.inner_steps + 1);
        for _ in 0..self.config.inner_steps {
            let next = self.activate(&(&slow + fast.matmul(&current.unsqueeze(2)?)?.squeeze(2)?)?)?;
            activities.push(std::mem::replace(&mut current, next));
        }
        activities.push(current);
        Ok(Inner { fast, activities })
    }
}

impl Cell for FastWeights {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// The weights once, the two products of F', and F' once for every inner step.
    fn multiply_adds(&self) -> usize {
        self.weight.elem_count() + (2 + self.config.inner_steps) * self.parts.hidden.pow(2)
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        let Inner { fast, activities } = self.inner(x, state)?;
        let hidden = activities[self.config.inner_steps].clone();
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone()), ("F", fast)]), hidden })
    }

    /// The slow weights once, the fast weights once for every inner step.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        let Inner { fast, activities } = self.inner(x, state)?;
        let mut energy = energy_inputs(x, Some(state.get("h")?), input_mask)?.matmul(&self.weight.abs()?.t()?)?;
        let fast = fast.abs()?;
        for activity in &activities[..self.config.inner_steps] {
            energy = (energy + fast.matmul(&activity.sqr()?.unsqueeze(2)?)?.squeeze(2)?)?;
        }
        Ok(energy)
    }
}
