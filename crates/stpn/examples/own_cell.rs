//! A cell of one's own under the whole command line: units that leak, each at a rate that it learns.
//!
//! ```sh
//! cargo run --release -p stpn --example own_cell -- train memory --cell leaky --set policy.cell.options.keep=0.5 --run-dir runs/leaky
//! cargo run --release -p stpn --example own_cell -- eval runs/leaky
//! ```
//!
//! `resume`, `play`, `report` and `compare --cells leaky,lstm` work too.

use std::process::ExitCode;

use candle_core::{Tensor, Var};
use serde::Deserialize;
use stpn::cells::parts::energy_inputs;
use stpn::cells::{Cell, CellParts, Error, Initializer, Kernel, Result, State, Step};
use stpn::cli::Registry;

/// What a configuration may set below `policy.cell.options`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LeakyConfig {
    /// The share of its activity that a unit keeps from step to step, in the beginning.
    keep: f64,
}

impl Default for LeakyConfig {
    fn default() -> Self {
        Self { keep: 0.8 }
    }
}

/// `h' = k h + (1 − k) tanh(W x + b)`: parameters `weight` `[H, I]`, `bias` and `keep` `[H]`; state `h` `[H]`.
#[derive(Debug)]
struct Leaky {
    parts: CellParts,
    weight: Var,
    bias: Var,
    keep: Var,
}

impl Leaky {
    fn new(config: &LeakyConfig, inputs: usize, units: usize, kernel: Kernel, init: &mut Initializer) -> Result<Self> {
        if !(0.0..=1.0).contains(&config.keep) {
            return Err(Error::Config { key: "options.keep", problem: format!("is from 0 to 1, not {}", config.keep) });
        }
        let (mut parts, bound) = (CellParts::new(inputs, units, kernel)?, 1.0 / (inputs as f64).sqrt());
        let weight = parts.parameters.add("weight", &init.uniform((units, inputs), -bound, bound)?)?;
        let bias = parts.parameters.add("bias", &init.uniform(units, -bound, bound)?)?;
        let keep = parts.parameters.add("keep", &init.constant(units, config.keep)?)?;
        parts.add_state("h", [units]);
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
        // h' = u + k (h − u)
        let hidden = (&driven + (state.get("h")? - &driven)?.broadcast_mul(&self.keep)?)?;
        Ok(Step { state: State::new(state.batch(), vec![("h", hidden.clone())]), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, _: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        Ok(energy_inputs(x, None, input_mask)?.matmul(&self.weight.abs()?.t()?)?)
    }
}

fn main() -> ExitCode {
    stpn::cli::main_with(register)
}

/// Gives the program its cell.
pub fn register(registry: &mut Registry) -> stpn::Result<()> {
    registry.cell("leaky", "units that leak, each at a rate that it learns", Leaky::new)
}
