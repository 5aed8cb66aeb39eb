//! The linear recurrent unit: a complex number per unit that turns and decays, and does not see the activity.
//!
//! Source: Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De, "Resurrecting Recurrent Neural Networks for Long
//! Sequences", ICML 2023. There a gated linear unit follows; here the activity is a tanh, as of the other cells.

use std::f64::consts::TAU;
use std::sync::Arc;

use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::diagonal::{DiagonalKernel, DiagonalSpec};
use crate::parts::energy_inputs;
use crate::{Cell, CellParts, Error, Initializer, Result, State, Step};

/// Options of [`LinearRecurrent`]: where its eigenvalues start, drawn evenly from a ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearRecurrentConfig {
    /// Smallest absolute value of an eigenvalue at first.
    pub min_radius: f64,
    /// Largest absolute value of an eigenvalue at first, below 1.
    pub max_radius: f64,
    /// Largest phase of an eigenvalue at first, in radians.
    pub max_phase: f64,
}

impl Default for LinearRecurrentConfig {
    fn default() -> Self {
        Self { min_radius: 0.9, max_radius: 0.999, max_phase: TAU }
    }
}

impl LinearRecurrentConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] with the offending key.
    pub fn check(&self) -> Result<()> {
        let refuse = |key, problem| Err(Error::Config { key, problem });
        let Self { min_radius, max_radius, max_phase } = self;
        if !(*max_radius > 0.0 && *max_radius < 1.0) {
            return refuse("max_radius", format!("is {max_radius}; allowed are numbers between 0 and 1"));
        }
        if !(*min_radius >= 0.0 && min_radius < max_radius) {
            let allowed = format!("allowed are numbers from 0 up, below max_radius, which is {max_radius}");
            return refuse("min_radius", format!("is {min_radius}; {allowed}"));
        }
        if !(*max_phase > 0.0 && *max_phase <= TAU) {
            return refuse("max_phase", format!("is {max_phase}; allowed are numbers above 0, up to {TAU}"));
        }
        Ok(())
    }
}

/// `λ = exp(−exp(nu_log) + i·exp(theta_log))`, `s' = λ⊙s + exp(gamma_log)⊙(B x)`, `h' = tanh(Re(C s') + D x + b)`, where
/// s, B and C are complex.
///
/// Parameters: `nu_log`, `theta_log`, `gamma_log` `[H]`; B is `input_re`, `input_im` `[H, I]`; C is `output_re`,
/// `output_im` `[H, H]`; D is `skip` `[H, I]`; `bias` `[H]`. State: `re`, `im` `[H]`.
#[derive(Debug)]
pub struct LinearRecurrent {
    parts: CellParts,
    /// exp(nu_log) is how fast a unit forgets, exp(theta_log) how fast it turns.
    nu_log: Var,
    theta_log: Var,
    gamma_log: Var,
    /// Real and imaginary part.
    input: [Var; 2],
    output: [Var; 2],
    skip: Var,
    bias: Var,
}

impl LinearRecurrent {
    /// A cell whose eigenvalues lie evenly on a ring at first, and whose matrices are U(±1/√columns).
    ///
    /// # Errors
    /// [`Error::Config`] on impossible options.
    pub fn new(config: &LinearRecurrentConfig, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        config.check()?;
        let (input, hidden) = (parts.input, parts.hidden);
        let [smallest, largest] = [config.min_radius, config.max_radius].map(|radius| radius * radius);
        let squares: Vec<f64> = (0..hidden).map(|_| init.stream().uniform(smallest, largest)).collect();
        // In (0, max_phase]: its logarithm is taken.
        let phases: Vec<f64> =
            (0..hidden).map(|_| config.max_phase - init.stream().uniform(0.0, config.max_phase)).collect();
        // A radius of 0 has no logarithm.
        let squares = squares.into_iter().map(|square| square.max(f64::MIN_POSITIVE));
        let nu_logs = squares.clone().map(|square| (-0.5 * square.ln()).ln()).collect();
        // What makes the state as large as the input, on average.
        let gamma_logs = squares.map(|square| 0.5 * (1.0 - square).ln()).collect();
        let phases = phases.into_iter().map(f64::ln).collect();
        let [from_inputs, from_units] = [input, hidden].map(|columns| 1.0 / (columns as f64).sqrt());
        let add = &mut parts.parameters;
        let nu_log = add.add("nu_log", &init.tensor(nu_logs, hidden)?)?;
        let theta_log = add.add("theta_log", &init.tensor(phases, hidden)?)?;
        let gamma_log = add.add("gamma_log", &init.tensor(gamma_logs, hidden)?)?;
        let mut matrix =
            |name: &str, columns: usize, bound: f64| add.add(name, &init.uniform((hidden, columns), -bound, bound)?);
        let input_matrices = [matrix("input_re", input, from_inputs)?, matrix("input_im", input, from_inputs)?];
        let output = [matrix("output_re", hidden, from_units)?, matrix("output_im", hidden, from_units)?];
        let skip = matrix("skip", input, from_inputs)?;
        let bias = add.add("bias", &init.uniform(hidden, -from_inputs, from_inputs)?)?;
        parts.add_state("re", [hidden]);
        parts.add_state("im", [hidden]);
        parts.fused = Some(Arc::new(DiagonalKernel::new(DiagonalSpec::new(&parts.layout())?)));
        Ok(Self { parts, nu_log, theta_log, gamma_log, input: input_matrices, output, skip, bias })
    }

    /// Real and imaginary part of λ, each `[H]`.
    fn eigenvalues(&self) -> Result<[Tensor; 2]> {
        let radius = self.nu_log.exp()?.neg()?.exp()?;
        let phase = self.theta_log.exp()?;
        Ok([(&radius * phase.cos()?)?, (radius * phase.sin()?)?])
    }

    /// The state after a step, real and imaginary part.
    fn turned(&self, x: &Tensor, state: &State) -> Result<[Tensor; 2]> {
        let [a, b] = self.eigenvalues()?;
        let gamma = self.gamma_log.exp()?;
        let (re, im) = (state.get("re")?, state.get("im")?);
        let driven = |matrix: &Var| -> Result<Tensor> { Ok(x.matmul(&matrix.t()?)?.broadcast_mul(&gamma)?) };
        let next_re = ((re.broadcast_mul(&a)? - im.broadcast_mul(&b)?)? + driven(&self.input[0])?)?;
        let next_im = ((im.broadcast_mul(&a)? + re.broadcast_mul(&b)?)? + driven(&self.input[1])?)?;
        Ok([next_re, next_im])
    }
}

impl Cell for LinearRecurrent {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    /// The matrices, and four multiplications of each complex number.
    fn multiply_adds(&self) -> usize {
        let CellParts { input, hidden, .. } = self.parts;
        hidden * (3 * input + 2 * hidden + 4)
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        self.parts.check_step(x, state)?;
        let [re, im] = self.turned(x, state)?;
        let seen = (re.matmul(&self.output[0].t()?)? - im.matmul(&self.output[1].t()?)?)?;
        let hidden = (seen + x.matmul(&self.skip.t()?)?)?.broadcast_add(&self.bias)?.tanh()?;
        Ok(Step { state: State::new(state.batch(), vec![("re", re), ("im", im)]), hidden })
    }

    /// A neuron is a unit with its complex number: what drives that, what it keeps, and what the unit reads.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor> {
        self.parts.check_step(x, state)?;
        let squares = energy_inputs(x, None, input_mask)?;
        let gamma = self.gamma_log.exp()?.unsqueeze(1)?;
        let driving = (self.input[0].abs()? + self.input[1].abs()?)?.broadcast_mul(&gamma)?;
        let from_inputs = squares.matmul(&(driving + self.skip.abs()?)?.t()?)?;
        let [a, b] = self.eigenvalues()?;
        let kept = (state.get("re")?.sqr()? + state.get("im")?.sqr()?)?.broadcast_mul(&(a.abs()? + b.abs()?)?)?;
        let [re, im] = self.turned(x, state)?;
        let read = (re.sqr()?.matmul(&self.output[0].abs()?.t()?)? + im.sqr()?.matmul(&self.output[1].abs()?.t()?)?)?;
        Ok(((from_inputs + kept)? + read)?)
    }
}
