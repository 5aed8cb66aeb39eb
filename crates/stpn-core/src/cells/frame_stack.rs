//! A layer that learns no memory: it sees the last inputs as they were, and the time. The baseline of tasks whose memory
//! a window would do for.
//!
//! Sources: the stack of frames of Mnih et al., "Human-level control through deep reinforcement learning", Nature 2015;
//! the time's sines and cosines of Vaswani et al., "Attention Is All You Need", NeurIPS 2017.

use std::sync::Arc;

use candle_core::{Tensor, Var};

use crate::kernels::stacked::{StackedKernel, StackedSpec};
use crate::options::FrameStackConfig;
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Initializer, Result, State, Step};

/// `h' = tanh(W [x_t ; x_{t−1} ; … ; x_{t−k+1} ; p(t)] + b)`, where inputs before the episode are 0 and p(t) are the pairs
/// `sin ω_i t, cos ω_i t` with `ω_i = 10000^(−2i/P)`.
///
/// Parameters: `weight` `[H, k·I + P]`, `bias` `[H]`. State: `inputs` `[k−1, I]`, the latest first, and `time` `[1]`, as far
/// as there are any.
#[derive(Debug)]
pub struct FrameStack {
    parts: CellParts,
    config: FrameStackConfig,
    weight: Var,
    bias: Var,
}

impl FrameStack {
    /// A layer with initial values U(±1/√(k·I + P)).
    ///
    /// # Errors
    /// [`crate::Error::Config`] on impossible options.
    pub fn new(config: &FrameStackConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        config.check()?;
        let (input, hidden) = (parts.input, parts.hidden);
        let width = config.width(input);
        let bound = 1.0 / (width as f64).sqrt();
        let weight = parts.parameters.add("weight", &init.uniform((hidden, width), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(hidden, -bound, bound)?)?;
        if config.frames > 1 {
            parts.add_state("inputs", [config.frames - 1, input]);
        }
        if config.position > 0 {
            parts.add_state("time", [1]);
        }
        parts.fused = Some(Arc::new(StackedKernel::new(StackedSpec::new(config, &parts.layout())?)));
        Ok(Self { parts, config: config.clone(), weight, bias })
    }

    /// What the layer sees after the present input: the inputs before it and the time, `[B, (k−1)·I + P]`, if anything.
    fn remembered(&self, state: &State) -> Result<Option<Tensor>> {
        let mut seen = Vec::new();
        if self.config.frames > 1 {
            seen.push(state.get("inputs")?.flatten_from(1)?);
        }
        if self.config.position > 0 {
            let time = state.get("time")?;
            for frequency in self.config.frequencies() {
                let phase = (time * frequency)?;
                seen.extend([phase.sin()?, phase.cos()?]);
            }
        }
        Ok(if seen.is_empty() { None } else { Some(Tensor::cat(&seen, 1)?) })
    }
}

impl Cell for FrameStack {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let seen = match self.remembered(state)? {
            Some(remembered) => Tensor::cat(&[x, &remembered], 1)?,
            None => x.clone(),
        };
        let hidden = seen.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?.tanh()?;
        let mut fields = Vec::new();
        if self.config.frames > 1 {
            let kept = state.get("inputs")?.narrow(1, 0, self.config.frames - 2)?;
            fields.push(("inputs", Tensor::cat(&[&x.unsqueeze(1)?, &kept], 1)?));
        }
        if self.config.position > 0 {
            fields.push(("time", (state.get("time")? + 1.0)?));
        }
        Ok(Step { state: State::new(state.batch(), fields), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let squares = energy_inputs(x, None, input_mask)?;
        let squares = match self.remembered(state)? {
            Some(remembered) => Tensor::cat(&[squares, remembered.sqr()?], 1)?,
            None => squares,
        };
        Ok(squares.matmul(&self.weight.abs()?.t()?)?)
    }
}
