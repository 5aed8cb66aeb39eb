//! The Short-Term Plasticity Neuron, recurrent (STPN) and feed-forward (STPNf).
//!
//! Source: Rodriguez, Guo, Moraitis, "Short-Term Plasticity Neurons Learning to Learn and Forget", ICML 2022.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{D, Tensor, Var};

use super::clamp::clamp;
use super::large::row_scale;
use super::layer_norm::LayerNorm;
use crate::kernels::plastic::{PlasticKernel, PlasticSpec};
use crate::options::{Decay, Granularity, NormOf, NormalizeState, Rule, StpnConfig};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// Added to every norm, so that an all-zero row divides to zero.
const NORM_EPSILON: f64 = 1e-16;

/// STPN or STPNf.
///
/// With z = `[x ; h]` (STPNf: x) of size D and P plastic columns (normally P = D):
/// ```text
/// G = W + F;  n = ‖G‖ by rows;  h' = tanh(G z / n + b)
/// F̂ = F / n;  F' = clamp(λ⊙F̂ + γ⊙(h' ⊗ z))
/// ```
/// Parameters: `weight` `[H, D]`, `bias` `[H]`, `lambda` and `gamma` (`[H, P]`, `[P]` or `[1]`), `bias_lambda` and
/// `bias_gamma` (`[H]` or `[1]`), `layer_norm.*` `[H]`. State: `h` `[H]` (STPN only), `F` `[H, P]`, `bias_F` `[H]`.
///
/// Oja's rule, and a state divided by ‖F‖ in place of ‖W + F‖, have no experiment behind them: they run on the composed
/// path alone, which is many times slower.
#[derive(Debug)]
pub struct Stpn {
    parts: CellParts,
    config: StpnConfig,
    /// The columns with fast weights.
    plastic: Range<usize>,
    weight: Var,
    bias: Option<Var>,
    lambda: Var,
    gamma: Var,
    plastic_bias: Option<PlasticBias>,
    layer_norm: Option<LayerNorm>,
}

/// Initial decays from numbers that are uniform from 0 to 1: they themselves, or exp(−1/τ) with τ log-uniform.
fn decays(config: &StpnConfig, uniform: Tensor) -> Result<Tensor> {
    Ok(match config.initial_memory {
        None => uniform,
        // 1/τ = exp(−u ln(longest)).
        Some(longest) => (uniform * -longest.ln())?.exp()?.neg()?.exp()?,
    })
}

/// Initial weights `[H, D]` as they were drawn, or with the row norms that the configuration asks for.
fn weights(config: &StpnConfig, drawn: Tensor) -> Result<Tensor> {
    Ok(match config.initial_norm {
        None => drawn,
        Some(norm) => (RowNorm::of(&drawn)?.divide(&drawn)? * norm)?,
    })
}

/// The plasticity of the bias.
#[derive(Debug)]
struct PlasticBias {
    lambda: Var,
    gamma: Var,
}

impl Stpn {
    /// A cell with initial values W, b ~ U(±k), λ ~ U(0, 1), γ ~ U(±0.001 k), k = 1/√H (STPNf: 1/√I); otherwise
    /// if `initial_norm`, `initial_memory` or `initial_rate` say so.
    ///
    /// # Errors
    /// [`crate::Error::Config`] on impossible options.
    pub fn new(config: &StpnConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        config.check()?;
        let (input, hidden) = (parts.input, parts.hidden);
        let (width, plastic) = (config.width(input, hidden), config.plastic_columns(input, hidden));
        let plasticity_shape = match config.granularity {
            Granularity::Synapse => vec![hidden, plastic.len()],
            Granularity::Presynaptic => vec![plastic.len()],
            Granularity::Scalar => vec![1],
        };
        let bound = 1.0 / (if config.recurrent { hidden } else { input } as f64).sqrt();
        let gamma_bound = config.initial_rate * bound;

        let add = &mut parts.parameters;
        let weight = add.add("weight", &weights(config, init.uniform((hidden, width), -bound, bound)?)?)?;
        let bias = match config.bias {
            true => Some(add.add("bias", &init.uniform(hidden, -bound, bound)?)?),
            false => None,
        };
        let lambda = add.add("lambda", &decays(config, init.uniform(plasticity_shape.clone(), 0.0, 1.0)?)?)?;
        let gamma = add.add("gamma", &init.uniform(plasticity_shape, -gamma_bound, gamma_bound)?)?;
        let plastic_bias = match config.plastic_bias {
            true => {
                let size = if config.granularity == Granularity::Synapse { hidden } else { 1 };
                let lambda = add.add("bias_lambda", &decays(config, init.uniform(size, 0.0, 1.0)?)?)?;
                let gamma = add.add("bias_gamma", &init.uniform(size, -gamma_bound, gamma_bound)?)?;
                Some(PlasticBias { lambda, gamma })
            }
            false => None,
        };
        let layer_norm = match config.layer_norm {
            true => Some(LayerNorm::new(add, hidden, init)?),
            false => None,
        };

        if config.recurrent {
            parts.add_state("h", [hidden]);
        }
        parts.add_state("F", [hidden, plastic.len()]);
        if config.plastic_bias {
            parts.add_state("bias_F", [hidden]);
        }
        if let Some(spec) = PlasticSpec::stpn(config, &parts.layout())? {
            parts.fused = Some(Arc::new(PlasticKernel::new(spec)));
        }
        Ok(Self { parts, config: config.clone(), plastic, weight, bias, lambda, gamma, plastic_bias, layer_norm })
    }

    /// The options it was built with.
    pub fn config(&self) -> &StpnConfig {
        &self.config
    }

    /// The activity in the state; none for STPNf.
    fn recurrent_activity<'s>(&self, state: &'s State) -> Result<Option<&'s Tensor>> {
        if self.config.recurrent { Ok(Some(state.get("h")?)) } else { Ok(None) }
    }

    /// G = W + F `[B, H, D]`, F standing where it exists.
    fn effective_weight(&self, fast: &Tensor) -> Result<Tensor> {
        let right = self.weight.dim(1)? - self.plastic.end;
        Ok(fast.pad_with_zeros(2, self.plastic.start, right)?.broadcast_add(&self.weight)?)
    }

    /// The norm that divides the fast weights.
    fn state_norm(&self, fast: &Tensor, effective: &Tensor) -> Result<RowNorm> {
        RowNorm::of(if self.config.norm_of == NormOf::F { fast } else { effective })
    }

    /// The fast weights after a step that led from z to `hidden`; `normalized` is F̂.
    fn update(&self, normalized: &Tensor, hidden: &Tensor, z: &Tensor) -> Result<Tensor> {
        let mut pre = z.narrow(1, self.plastic.start, self.plastic.len())?.unsqueeze(1)?;
        if self.config.rule == Rule::Oja {
            pre = (pre - hidden.unsqueeze(1)?.matmul(normalized)?)?;
        }
        let change = hidden.unsqueeze(2)?.matmul(&pre)?.broadcast_mul(&self.gamma)?;
        let mut fast = match self.config.decay {
            Decay::Old => (normalized.broadcast_mul(&self.lambda)? + change)?,
            Decay::All => (normalized + change)?.broadcast_mul(&self.lambda)?,
        };
        if let Some(bound) = self.config.clamp {
            fast = clamp(&fast, bound)?;
        }
        if self.config.normalize_state == NormalizeState::After {
            fast = self.state_norm(&fast, &self.effective_weight(&fast)?)?.divide(&fast)?;
        }
        Ok(fast)
    }
}

/// Norm of every row `[B, H, ·]` plus 1e-16, `[B, H, 1]`. The gradient of an all-zero row is zero, not 0/0.
struct RowNorm {
    /// Where squares overflow: what the rows were divided by before.
    scale: Option<Tensor>,
    norm: Tensor,
}

impl RowNorm {
    fn of(rows: &Tensor) -> Result<Self> {
        let mut squared = rows.sqr()?.sum_keepdim(D::Minus1)?;
        let scale = row_scale(rows, &squared)?;
        if let Some(scale) = &scale {
            squared = rows.broadcast_div(scale)?.sqr()?.sum_keepdim(D::Minus1)?;
        }
        let zero = squared.eq(0.0)?;
        let root = zero.where_cond(&squared.ones_like()?, &squared)?.sqrt()?;
        Ok(Self { scale, norm: (zero.where_cond(&root.zeros_like()?, &root)? + NORM_EPSILON)? })
    }

    /// Values `[B, H, ·]` divided by the norm.
    fn divide(&self, values: &Tensor) -> Result<Tensor> {
        match &self.scale {
            None => Ok(values.broadcast_div(&self.norm)?),
            Some(scale) => Ok(values.broadcast_div(scale)?.broadcast_div(&self.norm)?),
        }
    }
}

impl Cell for Stpn {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// Per plastic synapse W + F, its product, its square, and the two products of λF + γhz; elsewhere the product alone.
    fn multiply_adds(&self) -> usize {
        let (all, plastic) = (self.weight.elem_count(), self.parts.hidden * self.plastic.len());
        all + 4 * plastic
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let z = match self.recurrent_activity(state)? {
            Some(activity) => Tensor::cat(&[x, activity], 1)?,
            None => x.clone(),
        };
        let fast = state.get("F")?;
        let effective = self.effective_weight(fast)?;
        let mut pre = effective.matmul(&z.unsqueeze(2)?)?;
        let normalize_before = self.config.normalize_state == NormalizeState::Before;
        let norm = match self.config.normalize_forward || normalize_before {
            true => Some(RowNorm::of(&effective)?),
            false => None,
        };
        if let (true, Some(norm)) = (self.config.normalize_forward, &norm) {
            pre = norm.divide(&pre)?;
        }
        let mut pre = pre.squeeze(2)?;
        if let Some(bias) = &self.bias {
            pre = pre.broadcast_add(bias)?;
        }
        if self.plastic_bias.is_some() {
            pre = (pre + state.get("bias_F")?)?;
        }
        if let Some(layer_norm) = &self.layer_norm {
            pre = layer_norm.forward(&pre)?;
        }
        let hidden = pre.tanh()?;

        let normalized = match (self.config.norm_of, norm) {
            _ if !normalize_before => fast.clone(),
            (NormOf::G, Some(norm)) => norm.divide(fast)?,
            _ => RowNorm::of(fast)?.divide(fast)?,
        };
        let mut fields = Vec::with_capacity(3);
        if self.config.recurrent {
            fields.push(("h", hidden.clone()));
        }
        fields.push(("F", self.update(&normalized, &hidden, &z)?));
        if let Some(PlasticBias { lambda, gamma }) = &self.plastic_bias {
            let decayed = state.get("bias_F")?.broadcast_mul(lambda)?;
            fields.push(("bias_F", (decayed + hidden.broadcast_mul(gamma)?)?));
        }
        Ok(Step { state: State::new(state.batch(), fields), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let squares = energy_inputs(x, self.recurrent_activity(state)?, input_mask)?;
        let effective = self.effective_weight(state.get("F")?)?;
        let mut energy = effective.abs()?.matmul(&squares.unsqueeze(2)?)?;
        if self.config.normalize_forward {
            energy = RowNorm::of(&effective)?.divide(&energy)?;
        }
        Ok(energy.squeeze(2)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use stpn_random::Stream;

    use super::*;
    use crate::Kernel;

    fn built(config: &StpnConfig) -> Stpn {
        let mut stream = Stream::from_seed(1);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        Stpn::new(config, CellParts::new(30, 20, Kernel::Auto).unwrap(), &mut init).unwrap()
    }

    #[test]
    fn decays_begin_with_time_constants_over_the_whole_memory() {
        let config = StpnConfig { initial_memory: Some(100.0), initial_rate: 0.1, ..StpnConfig::default() };
        let cell = built(&config);
        let lambda: Vec<f64> = cell.lambda.flatten_all().unwrap().to_vec1().unwrap();
        let mut spans: Vec<f64> = lambda.iter().map(|lambda| -1.0 / lambda.ln()).collect();
        spans.sort_by(f64::total_cmp);
        assert!(spans[0] >= 1.0 && spans[spans.len() - 1] <= 100.0 + 1e-9);
        // Log-uniform: the median is the geometric mean of the ends.
        let median = spans[spans.len() / 2];
        assert!((8.0..12.5).contains(&median), "{median}");
        let bound = 0.1 / 20f64.sqrt();
        let gamma: Vec<f64> = cell.gamma.flatten_all().unwrap().to_vec1().unwrap();
        let largest = gamma.iter().fold(0.0_f64, |most, gamma| most.max(gamma.abs()));
        assert!(largest <= bound && largest > 0.9 * bound, "{largest}");
        // The same draws, whatever is made of them.
        let published = built(&StpnConfig::default());
        let weights = |cell: &Stpn| cell.weight.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(weights(&cell), weights(&published));
    }

    #[test]
    fn weights_begin_with_the_norm_that_was_asked_for() {
        let rows = |config: &StpnConfig| built(config).weight.to_vec2::<f64>().unwrap();
        let asked = rows(&StpnConfig { initial_norm: Some(0.5), ..StpnConfig::default() });
        for (row, drawn) in asked.iter().zip(rows(&StpnConfig::default())) {
            let norm = |row: &[f64]| row.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
            assert!((norm(row) - 0.5).abs() < 1e-12);
            // The same directions.
            let factor = 0.5 / norm(&drawn);
            assert!(row.iter().zip(&drawn).all(|(weight, drawn)| (weight - drawn * factor).abs() < 1e-12));
        }
    }

    #[test]
    fn impossible_starts_are_refused() {
        for (config, key) in [
            (StpnConfig { initial_memory: Some(1.0), ..StpnConfig::default() }, "initial_memory"),
            (StpnConfig { initial_memory: Some(f64::NAN), ..StpnConfig::default() }, "initial_memory"),
            (StpnConfig { initial_rate: 0.0, ..StpnConfig::default() }, "initial_rate"),
            (StpnConfig { initial_norm: Some(-1.0), ..StpnConfig::default() }, "initial_norm"),
        ] {
            assert!(config.check().unwrap_err().to_string().contains(key));
        }
    }
}
