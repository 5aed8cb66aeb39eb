//! A cell of one's own, units that leak, under the whole command line: `eval`, `resume`, `play` and `report` work too.
//! `cargo run --release -p stpn --example own_cell -- train memory --cell leaky --set policy.cell.options.keep=0.5`

use serde::Deserialize;
use stpn::cells::{Cell, CellParts, Error, Initializer, Result, State, Step, Tensor, Var, energy_inputs};

/// What a configuration may set below `policy.cell.options`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyConfig {
    /// The share of its activity that a unit keeps from step to step, in the beginning: 0.8 if it is left out.
    keep: Option<f64>,
}

/// `h' = k h + (1 − k) tanh(W x + b)`: parameters `weight` `[H, I]`, `bias` and `keep` `[H]`; state `h` `[H]`.
#[derive(Debug)]
pub struct Leaky {
    parts: CellParts,
    weight: Var,
    bias: Var,
    keep: Var,
}

impl Leaky {
    /// A cell with initial values W, b ~ U(±1/√I).
    pub fn new(config: &LeakyConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let kept = config.keep.unwrap_or(0.8);
        if !(0.0..=1.0).contains(&kept) {
            return Err(Error::Config { key: "options.keep", problem: format!("is from 0 to 1, not {kept}") });
        }
        let bound = 1.0 / (parts.input as f64).sqrt();
        let weight = parts.parameters.add("weight", &init.uniform((parts.hidden, parts.input), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(parts.hidden, -bound, bound)?)?;
        let keep = parts.parameters.add("keep", &init.constant(parts.hidden, kept)?)?;
        parts.add_state("h", [parts.hidden]);
        Ok(Self { parts, weight, bias, keep })
    }
}

impl Cell for Leaky {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let driven = x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?.tanh()?;
        let hidden = (&driven + (state.get("h")? - &driven)?.broadcast_mul(&self.keep)?)?;
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone())]), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, _: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        Ok(energy_inputs(x, None, input_mask)?.matmul(&self.weight.abs()?.t()?)?)
    }
}

fn main() -> std::process::ExitCode {
    stpn::cli::main_with(|registry| registry.cell("leaky", "units that leak", Leaky::new))
}
