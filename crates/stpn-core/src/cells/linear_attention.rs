//! Linear attention with a gate, and the gated delta rule: outer products in a matrix that the activity does not see.
//!
//! Sources: Yang, Wang, Shen, Panda, Kim, "Gated Linear Attention Transformers with Hardware-Efficient Training", ICML 2024;
//! Schlag, Irie, Schmidhuber, "Linear Transformers Are Secretly Fast Weight Programmers", ICML 2021; Yang, Kautz,
//! Hatamizadeh, "Gated Delta Networks", ICLR 2025. Here is one head, with one keep gate for the whole matrix.

use std::sync::Arc;

use candle_core::{Tensor, Var};

use super::sigmoid::sigmoid;
use crate::kernels::associative::{AssociativeKernel, AssociativeSpec, NORM_EPSILON};
use crate::options::{AssociativeRule, LinearAttentionConfig};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// `(q, k, v, s, β̃, α̃) = W x + b`, `q̂ = q/√(q·q + ε)`, `k̂` likewise, `β = σ(β̃)`, `α = σ(α̃)^(1/16)`,
/// `F' = α F + e k̂ᵀ`, `h' = tanh(F' q̂ + s)`, where `e = β v`, or by the delta rule `e = β (v − α F k̂)`.
///
/// ε is 1e-6. Parameters: `weight` `[4H+2, I]`, its rows in the order q, k, v, s, β̃, α̃; `bias` `[4H+2]`. State: `F`
/// `[H, H]`.
#[derive(Debug)]
pub struct LinearAttention {
    parts: CellParts,
    rule: AssociativeRule,
    weight: Var,
    bias: Var,
}

/// What the inputs make.
struct Projected {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    direct: Tensor,
    /// `[B, 1]`
    write: Tensor,
    keep: Tensor,
}

impl LinearAttention {
    /// A cell with initial values U(±1/√I).
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(config: &LinearAttentionConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (input, hidden, rule) = (parts.input, parts.hidden, config.rule);
        let (rows, bound) = (4 * hidden + 2, 1.0 / (input as f64).sqrt());
        let weight = parts.parameters.add("weight", &init.uniform((rows, input), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(rows, -bound, bound)?)?;
        parts.add_state("F", [hidden, hidden]);
        parts.fused = Some(Arc::new(AssociativeKernel::new(AssociativeSpec::new(rule, &parts.layout())?)));
        Ok(Self { parts, rule, weight, bias })
    }

    fn project(&self, x: &Tensor) -> Result<Projected> {
        let (all, units) = (x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?, self.parts.hidden);
        let part = |index: usize| all.narrow(1, index * units, units);
        let gate = |index: usize| all.narrow(1, 4 * units + index, 1);
        Ok(Projected {
            query: normalized(&part(0)?)?,
            key: normalized(&part(1)?)?,
            value: part(2)?,
            direct: part(3)?,
            write: sigmoid(&gate(0)?)?,
            // The power makes the gate slow. It is taken of the logarithm: σ itself becomes 0 where its root is far from 0.
            keep: (log_sigmoid(&gate(1)?)? / 16.0)?.exp()?,
        })
    }

    /// F'.
    fn learned(&self, projected: &Projected, fast: &Tensor) -> Result<Tensor> {
        let Projected { key, value, write, keep, .. } = projected;
        let kept = fast.broadcast_mul(&keep.unsqueeze(2)?)?;
        let target = match self.rule {
            AssociativeRule::Hebbian => value.clone(),
            AssociativeRule::Delta => (value - times(&kept, key)?)?,
        };
        let written = target.broadcast_mul(write)?;
        Ok((kept + written.unsqueeze(2)?.matmul(&key.unsqueeze(1)?)?)?)
    }
}

/// `ln σ(v) = v/2 − |v|/2 − ln(1 + exp(−|v|))`, with the right derivative at 0 whatever that of |v| is.
fn log_sigmoid(values: &Tensor) -> Result<Tensor> {
    let size = values.abs()?;
    let rest = (size.neg()?.exp()? + 1.0)?.log()?;
    Ok((((values - size)? * 0.5)? - rest)?)
}

/// `v/√(v·v + ε)` of every row.
fn normalized(values: &Tensor) -> Result<Tensor> {
    let norm = (values.sqr()?.sum_keepdim(1)? + NORM_EPSILON)?.sqrt()?;
    Ok(values.broadcast_div(&norm)?)
}

/// `[B, H, H]` · `[B, H]`
fn times(matrices: &Tensor, vectors: &Tensor) -> Result<Tensor> {
    Ok(matrices.matmul(&vectors.unsqueeze(2)?)?.squeeze(2)?)
}

impl Cell for LinearAttention {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// The weights, the products of F with query and, by the delta rule, key, and the two of its update.
    fn multiply_adds(&self) -> usize {
        let retrievals = if self.rule == AssociativeRule::Delta { 2 } else { 1 };
        self.weight.elem_count() + (2 + retrievals) * self.parts.hidden.pow(2)
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let projected = self.project(x)?;
        let fast = self.learned(&projected, state.get("F")?)?;
        let hidden = (times(&fast, &projected.query)? + projected.direct)?.tanh()?;
        Ok(Step { state: State::new(state.batch(), vec![("F", fast)]), hidden })
    }

    /// A neuron is a unit with its share of query, key and value, and its row of F. The two gates belong to no unit.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let units = self.parts.hidden;
        let magnitudes = self.weight.narrow(0, 0, 4 * units)?.abs()?.reshape((4, units, ()))?.sum(0)?;
        let from_inputs = energy_inputs(x, None, input_mask)?.matmul(&magnitudes.t()?)?;
        let (projected, before) = (self.project(x)?, state.get("F")?);
        let read = times(&self.learned(&projected, before)?.abs()?, &projected.query.sqr()?)?;
        let energy = (from_inputs + read)?;
        Ok(match self.rule {
            AssociativeRule::Hebbian => energy,
            AssociativeRule::Delta => (energy + times(&before.abs()?, &projected.key.sqr()?)?)?,
        })
    }
}
