//! What a layer computes, and where its parameters and state lie in the packed arrays.
//!
//! The order of both is that of the cells of `stpn-core`. This crate does not depend on that one, so that it can be
//! built and checked alone: the options are repeated here.

use crate::{Error, Result};

/// A layer that the kernels of this crate compute.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// STPN, STPNf or HebbFF.
    Plastic(Plastic),
    /// Differentiable plasticity or Backpropamine.
    Modulated(Modulated),
}

/// A layer of the STPN family. `Plastic::hebbff` is HebbFF.
#[derive(Clone, Debug, PartialEq)]
pub struct Plastic {
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// z is [x ; h] (STPN), or x alone (STPNf).
    pub recurrent: bool,
    /// Divide the product by the norm of W + F.
    pub normalize_forward: bool,
    /// When F is divided by the norm of W + F.
    pub normalize_state: NormalizeState,
    /// Limit of the fast weights.
    pub clamp: Option<f64>,
    /// λ multiplies the whole update, not the old fast weights alone.
    pub decay_all: bool,
    /// Which synapses have fast weights.
    pub synapses: Synapses,
    /// How many λ and γ there are.
    pub granularity: Granularity,
    /// There is a bias.
    pub bias: bool,
    /// Layer-normalise the pre-activation.
    pub layer_norm: bool,
    /// The bias has a plastic part.
    pub plastic_bias: bool,
    /// HebbFF: logistic activation, λ = σ(raw), γ = −exp(raw).
    pub logistic: bool,
}

/// A layer of differentiable plasticity or Backpropamine.
#[derive(Clone, Debug, PartialEq)]
pub struct Modulated {
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// What sets the rate of change.
    pub modulation: Modulation,
    /// How a change is added to the fast weights.
    pub rule: Rule,
}

/// When the fast weights are divided by the norm of a row of W + F.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizeState {
    /// Never.
    None,
    /// Before the update.
    Before,
    /// After update and clamp.
    After,
}

/// Synapses with fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synapses {
    /// All.
    All,
    /// Those from inputs.
    Input,
    /// Those from units.
    Recurrent,
}

/// How many decays λ and rates γ there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// One for each plastic synapse.
    Synapse,
    /// One for each presynaptic element.
    Presynaptic,
    /// One for all.
    Scalar,
}

/// What sets the rate m.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modulation {
    /// A trained scalar: differentiable plasticity.
    Constant,
    /// The network: Backpropamine.
    Network,
    /// The network, acting on a trace.
    Retroactive,
}

/// How a change mΔ is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// F + mΔ within ±1.
    HardClamp,
    /// F + mΔ − |mΔ|F within ±1 (retroactive: ±0.99999).
    SoftClamp,
    /// F + mΔ.
    Additive,
    /// (1 − m)F + mΔ.
    Decay,
}

impl Layer {
    /// The name of the kernel of its rollouts in mazes.
    pub(crate) fn maze_kernel(&self) -> &'static str {
        match self {
            Self::Plastic(_) => "plastic_mazes",
            Self::Modulated(_) => "modulated_mazes",
        }
    }

    /// The name of the kernel of its rollouts in environments that are foreseen.
    pub(crate) fn foreseen_kernel(&self) -> &'static str {
        match self {
            Self::Plastic(_) => "plastic_foreseen",
            Self::Modulated(_) => "modulated_foreseen",
        }
    }

    /// The name of the kernel of its rollouts in games.
    pub(crate) fn game_kernel(&self) -> &'static str {
        match self {
            Self::Plastic(_) => "plastic_games",
            Self::Modulated(_) => "modulated_games",
        }
    }

    /// That of its sequences whose energy is measured.
    pub(crate) fn measured_kernel(&self) -> &'static str {
        match self {
            Self::Plastic(_) => "plastic_measured",
            Self::Modulated(_) => "modulated_measured",
        }
    }
}

impl Plastic {
    /// The paper's recurrent cell.
    pub fn stpn(input: usize, hidden: usize) -> Self {
        Self {
            input,
            hidden,
            recurrent: true,
            normalize_forward: true,
            normalize_state: NormalizeState::Before,
            clamp: None,
            decay_all: false,
            synapses: Synapses::All,
            granularity: Granularity::Synapse,
            bias: true,
            layer_norm: false,
            plastic_bias: false,
            logistic: false,
        }
    }

    /// The cell of the published maze runs: normalised after the update, clamped at ±1.
    pub fn maze(input: usize, hidden: usize) -> Self {
        Self { normalize_state: NormalizeState::After, clamp: Some(1.0), ..Self::stpn(input, hidden) }
    }

    /// HebbFF.
    pub fn hebbff(input: usize, hidden: usize) -> Self {
        Self {
            recurrent: false,
            normalize_forward: false,
            normalize_state: NormalizeState::None,
            granularity: Granularity::Scalar,
            logistic: true,
            ..Self::stpn(input, hidden)
        }
    }

    /// Size D of z.
    pub fn width(&self) -> usize {
        if self.recurrent { self.input + self.hidden } else { self.input }
    }

    /// First column with fast weights, and their number P.
    pub fn plastic(&self) -> (usize, usize) {
        match self.synapses {
            Synapses::All => (0, self.width()),
            Synapses::Input => (0, self.input),
            Synapses::Recurrent => (self.input, self.width() - self.input),
        }
    }

    fn parameters(&self) -> usize {
        let rates = match self.granularity {
            Granularity::Synapse => self.hidden * self.plastic().1,
            Granularity::Presynaptic => self.plastic().1,
            Granularity::Scalar => 1,
        };
        let bias_rates = if self.granularity == Granularity::Synapse { self.hidden } else { 1 };
        let rows = usize::from(self.bias) + 2 * usize::from(self.layer_norm);
        self.hidden * (self.width() + rows) + 2 * rates + 2 * bias_rates * usize::from(self.plastic_bias)
    }

    fn state_len(&self) -> usize {
        let rows = usize::from(self.recurrent) + usize::from(self.plastic_bias);
        self.hidden * (rows + self.plastic().1)
    }

    /// Rows `[H]` that the forward pass records of each step.
    fn fields(&self) -> usize {
        let state = match self.normalize_state {
            NormalizeState::None => 0,
            NormalizeState::Before => 1,
            NormalizeState::After => 2,
        };
        2 * usize::from(self.normalize_forward)
            + state
            + usize::from(self.plastic_bias)
            + 2 * usize::from(self.layer_norm)
    }
}

impl Modulated {
    fn parameters(&self) -> usize {
        let modulator = match self.modulation {
            Modulation::Constant => 1,
            Modulation::Network => self.hidden + 1,
            Modulation::Retroactive => self.hidden + 2,
        };
        self.hidden * (self.input + 1 + 2 * self.hidden) + modulator
    }
}

impl Layer {
    /// Input size I.
    pub fn input(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.input,
            Self::Modulated(layer) => layer.input,
        }
    }

    /// Units H.
    pub fn hidden(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.hidden,
            Self::Modulated(layer) => layer.hidden,
        }
    }

    /// Size D of the presynaptic vector.
    pub fn width(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.width(),
            Self::Modulated(layer) => layer.input + layer.hidden,
        }
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.parameters(),
            Self::Modulated(layer) => layer.parameters(),
        }
    }

    /// Length S of the packed state of one environment.
    pub fn state_len(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.state_len(),
            Self::Modulated(layer) => layer.hidden * (1 + layer.hidden * self.matrices()),
        }
    }

    /// Matrices of state of one environment: F, and the trace if there is one.
    pub fn matrices(&self) -> usize {
        match self {
            Self::Modulated(layer) if layer.modulation == Modulation::Retroactive => 2,
            _ => 1,
        }
    }

    /// Rows `[H]` that the forward pass records of each step.
    pub fn fields(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.fields(),
            // m, in the first element of the row.
            Self::Modulated(_) => 1,
        }
    }

    /// Refuses sizes and options that contradict one another.
    ///
    /// # Errors
    /// [`Error::Layer`] that names the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |problem: &str| Err(Error::Layer { problem: problem.to_string() });
        if self.input() == 0 || self.hidden() == 0 {
            return refuse("input and hidden must be at least 1");
        }
        let Self::Plastic(layer) = self else { return Ok(()) };
        if layer.synapses == Synapses::Recurrent && !layer.recurrent {
            return refuse("synapses = Recurrent with recurrent = false: there are only inputs");
        }
        if layer.plastic_bias && !layer.bias {
            return refuse("plastic_bias without bias");
        }
        if layer.clamp.is_some_and(|bound| !(bound.is_finite() && bound > 0.0)) {
            return refuse("clamp must be a positive number");
        }
        Ok(())
    }
}
