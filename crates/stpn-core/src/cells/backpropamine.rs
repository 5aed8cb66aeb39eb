//! Differentiable plasticity, Backpropamine and its retroactive form.
//!
//! Sources: Miconi, Clune, Stanley, "Differentiable plasticity", ICML 2018; Miconi, Rawal, Clune, Stanley,
//! "Backpropamine", ICLR 2019.

use std::sync::Arc;

use candle_core::{Tensor, Var};

use super::clamp::clamp;
use crate::kernels::modulated::{ModulatedKernel, ModulatedSpec};
use crate::options::{BackpropamineConfig, Bound, LIMIT, Modulation, RETROACTIVE_SOFT_LIMIT};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// W and α start at this times U(0, 1).
const INITIAL_SCALE: f64 = 0.01;
/// η before training.
const INITIAL_ETA: f64 = 0.01;

/// `h' = tanh(W_x x + b + (W + α⊙F) h)`, `Δ = h' ⊗ h`, `F'` from F, Δ and the rate m by [`Bound`].
///
/// In the retroactive form the trace E stands for Δ, and then `E' = (1−η)E + ηΔ`.
/// Parameters: `weight_ih` `[H, I]`, `bias` `[H]`, `weight_hh` and `alpha` `[H, H]`, `eta` `[1]` (not for `network`),
/// `modulator.weight` `[1, H]` and `modulator.bias` `[1]` (not for `constant`). State: `h` `[H]`, `F` `[H, H]`,
/// `trace` `[H, H]` (retroactive only).
#[derive(Debug)]
pub struct Backpropamine {
    parts: CellParts,
    config: BackpropamineConfig,
    weight_ih: Var,
    bias: Var,
    weight_hh: Var,
    alpha: Var,
    modulator: Modulator,
}

/// The source of the rate m.
#[derive(Debug)]
enum Modulator {
    Constant { eta: Var },
    Network { weight: Var, bias: Var },
    Retroactive { eta: Var, weight: Var, bias: Var },
}

impl Backpropamine {
    /// A cell with initial values W, α ~ 0.01·U(0, 1), η = 0.01, and U(±1/√fan-in) for the input and the modulator.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(config: &BackpropamineConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden) = (parts.input, parts.hidden);
        let input_bound = 1.0 / (input as f64).sqrt();
        let add = &mut parts.parameters;
        let weight_ih = add.add("weight_ih", &init.uniform((hidden, input), -input_bound, input_bound)?)?;
        let bias = add.add("bias", &init.uniform(hidden, -input_bound, input_bound)?)?;
        let weight_hh = add.add("weight_hh", &init.uniform((hidden, hidden), 0.0, INITIAL_SCALE)?)?;
        let alpha = add.add("alpha", &init.uniform((hidden, hidden), 0.0, INITIAL_SCALE)?)?;
        let mut eta = || add.add("eta", &init.constant(1, INITIAL_ETA)?);
        let modulator = match config.modulation {
            Modulation::Constant => Modulator::Constant { eta: eta()? },
            Modulation::Network => {
                let (weight, bias) = add_network(&mut parts, init)?;
                Modulator::Network { weight, bias }
            }
            Modulation::Retroactive => {
                let eta = eta()?;
                let (weight, bias) = add_network(&mut parts, init)?;
                Modulator::Retroactive { eta, weight, bias }
            }
        };
        parts.add_state("h", [hidden]);
        parts.add_state("F", [hidden, hidden]);
        if config.modulation == Modulation::Retroactive {
            parts.add_state("trace", [hidden, hidden]);
        }
        parts.fused = Some(Arc::new(ModulatedKernel::new(ModulatedSpec::new(config, &parts.layout())?)));
        Ok(Self { parts, config: config.clone(), weight_ih, bias, weight_hh, alpha, modulator })
    }

    /// W + α⊙F `[B, H, H]`.
    fn effective_weight(&self, state: &State) -> Result<Tensor> {
        Ok(state.get("F")?.broadcast_mul(&self.alpha)?.broadcast_add(&self.weight_hh)?)
    }

    /// The rate m, `[1]` or `[B, 1, 1]`.
    fn rate(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.modulator {
            Modulator::Constant { eta } => Ok(eta.as_tensor().clone()),
            Modulator::Network { weight, bias } | Modulator::Retroactive { weight, bias, .. } => {
                Ok(hidden.matmul(&weight.t()?)?.broadcast_add(bias)?.tanh()?.unsqueeze(2)?)
            }
        }
    }

    /// F' from F, the rate m and the Hebbian term or its trace.
    fn update(&self, fast: &Tensor, rate: &Tensor, term: &Tensor) -> Result<Tensor> {
        let change = term.broadcast_mul(rate)?;
        match self.config.bound {
            Bound::HardClamp => clamp(&(fast + change)?, LIMIT),
            Bound::SoftClamp => {
                let limit = match self.config.modulation {
                    Modulation::Retroactive => RETROACTIVE_SOFT_LIMIT,
                    Modulation::Constant | Modulation::Network => LIMIT,
                };
                // (c)⁺(1−F) + (c)⁻(F+1) = c − |c|F
                clamp(&((fast + &change)? - (change.abs()? * fast)?)?, limit)
            }
            Bound::Additive => Ok((fast + change)?),
            Bound::Decay => Ok((fast - fast.broadcast_mul(rate)? + change)?),
        }
    }
}

/// Adds the layer that computes the rate from the activity.
fn add_network(parts: &mut CellParts, init: &mut Initializer) -> Result<(Var, Var)> {
    let bound = 1.0 / (parts.hidden as f64).sqrt();
    let weight = parts.parameters.add("modulator.weight", &init.uniform((1, parts.hidden), -bound, bound)?)?;
    let bias = parts.parameters.add("modulator.bias", &init.uniform(1, -bound, bound)?)?;
    Ok((weight, bias))
}

impl Cell for Backpropamine {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// The input's weights once; per recurrent synapse W + αF, its product and the two products that change F, and the two
    /// of the trace if there is one; the modulator's weights once.
    fn multiply_adds(&self) -> usize {
        let (trace, modulator) = match self.config.modulation {
            Modulation::Constant => (0, 0),
            Modulation::Network => (0, self.parts.hidden),
            Modulation::Retroactive => (2, self.parts.hidden),
        };
        self.weight_ih.elem_count() + (4 + trace) * self.parts.hidden.pow(2) + modulator
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let (activity, fast) = (state.get("h")?, state.get("F")?);
        let recurrent = self.effective_weight(state)?.matmul(&activity.unsqueeze(2)?)?.squeeze(2)?;
        let pre = (x.matmul(&self.weight_ih.t()?)?.broadcast_add(&self.bias)? + recurrent)?;
        let hidden = pre.tanh()?;
        let hebbian = hidden.unsqueeze(2)?.matmul(&activity.unsqueeze(1)?)?;
        let rate = self.rate(&hidden)?;
        let fields = match &self.modulator {
            Modulator::Retroactive { eta, .. } => {
                let trace = state.get("trace")?;
                let next = (trace + (hebbian - trace)?.broadcast_mul(eta)?)?;
                vec![("h", hidden.clone()), ("F", self.update(fast, &rate, trace)?), ("trace", next)]
            }
            Modulator::Constant { .. } | Modulator::Network { .. } => {
                vec![("h", hidden.clone()), ("F", self.update(fast, &rate, &hebbian)?)]
            }
        };
        Ok(Step { state: State::new(state.batch(), fields), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let from_input = energy_inputs(x, None, input_mask)?.matmul(&self.weight_ih.abs()?.t()?)?;
        let squares = state.get("h")?.sqr()?.unsqueeze(2)?;
        Ok((from_input + self.effective_weight(state)?.abs()?.matmul(&squares)?.squeeze(2)?)?)
    }
}
