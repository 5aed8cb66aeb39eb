//! What a plastic layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::options::{Decay, Granularity, NormOf, NormalizeState, Plastic, Rule, StpnConfig};

/// A layer of the STPN family. HebbFF is the STPNf with the options of [`PlasticSpec::hebbff`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlasticSpec {
    /// Options of the equations.
    pub config: StpnConfig,
    /// HebbFF: logistic activation, λ = σ(raw), γ = −exp(raw).
    pub hebbff: bool,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
}

/// Ranges of the packed parameters, in the cells' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterRanges {
    pub weight: Range<usize>,
    pub bias: Option<Range<usize>>,
    pub lambda: Range<usize>,
    pub gamma: Range<usize>,
    pub bias_lambda: Option<Range<usize>>,
    pub bias_gamma: Option<Range<usize>>,
    pub gain: Option<Range<usize>>,
    pub offset: Option<Range<usize>>,
    /// All of them.
    pub len: usize,
}

/// Which row sums a pass over the fast weights makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// `G·z`: no norm is needed.
    Dot,
    /// `G·z` and `‖G‖²`.
    Norm,
    /// `W·z`, `Φ·z`, `W·Φ`, `‖Φ‖²`: all that follows from a scale of Φ still unknown.
    Apart,
}

impl PlasticSpec {
    /// The STPN or STPNf of that configuration; none for Oja's rule and for a state divided by ‖F‖, which would need
    /// passes of their own.
    pub fn stpn(config: &StpnConfig, input: usize, hidden: usize) -> Option<Self> {
        let divided_by_fast = config.normalize_state != NormalizeState::None && config.norm_of == NormOf::F;
        let served = config.rule == Rule::Hebb && !divided_by_fast;
        served.then(|| Self { config: config.clone(), hebbff: false, input, hidden })
    }

    /// HebbFF.
    pub fn hebbff(input: usize, hidden: usize) -> Self {
        let config = StpnConfig {
            recurrent: false,
            normalize_forward: false,
            normalize_state: NormalizeState::None,
            granularity: Granularity::Scalar,
            ..StpnConfig::default()
        };
        Self { config, hebbff: true, input, hidden }
    }

    /// Size D of the presynaptic vector.
    pub fn width(&self) -> usize {
        if self.config.recurrent { self.input + self.hidden } else { self.input }
    }

    /// The columns with fast weights.
    pub fn plastic(&self) -> Range<usize> {
        match self.config.plastic {
            Plastic::All => 0..self.width(),
            Plastic::Input => 0..self.input,
            Plastic::Recurrent => self.input..self.width(),
        }
    }

    /// Where the packed parameters lie.
    pub fn parameters(&self) -> ParameterRanges {
        let mut len = 0;
        let mut next = |size: usize| {
            len += size;
            len - size..len
        };
        let config = &self.config;
        let rates = match config.granularity {
            Granularity::Synapse => self.hidden * self.plastic().len(),
            Granularity::Presynaptic => self.plastic().len(),
            Granularity::Scalar => 1,
        };
        let bias_rates = if config.granularity == Granularity::Synapse { self.hidden } else { 1 };
        ParameterRanges {
            weight: next(self.hidden * self.width()),
            bias: config.bias.then(|| next(self.hidden)),
            lambda: next(rates),
            gamma: next(rates),
            bias_lambda: config.plastic_bias.then(|| next(bias_rates)),
            bias_gamma: config.plastic_bias.then(|| next(bias_rates)),
            gain: config.layer_norm.then(|| next(self.hidden)),
            offset: config.layer_norm.then(|| next(self.hidden)),
            len,
        }
    }

    /// Where h starts in the packed state of one element, if it is part of it.
    pub fn hidden_start(&self) -> Option<usize> {
        self.config.recurrent.then_some(0)
    }

    /// Where F starts in the packed state of one element; h, where there is one, comes before it.
    pub fn fast_start(&self) -> usize {
        if self.config.recurrent { self.hidden } else { 0 }
    }

    /// Where the bias state starts in the packed state of one element, if there is one.
    pub fn bias_start(&self) -> Option<usize> {
        self.config.plastic_bias.then(|| self.fast_start() + self.hidden * self.plastic().len())
    }

    /// Length S of the packed state of one element.
    pub fn state_len(&self) -> usize {
        let bias = if self.config.plastic_bias { self.hidden } else { 0 };
        self.fast_start() + self.hidden * self.plastic().len() + bias
    }

    /// True if F is divided by a norm after the update.
    pub fn after(&self) -> bool {
        self.config.normalize_state == NormalizeState::After
    }

    /// True if F is divided by a norm before the update.
    pub fn before(&self) -> bool {
        self.config.normalize_state == NormalizeState::Before
    }

    /// True if λ multiplies the whole update.
    pub fn decay_all(&self) -> bool {
        self.config.decay == Decay::All
    }

    /// True if λ and γ of a synapse are parameters of its own, as they are.
    pub fn direct_rates(&self) -> bool {
        self.config.granularity == Granularity::Synapse && !self.hebbff && !self.decay_all()
    }

    /// The sums that the forward pass needs.
    pub fn sums(&self) -> Sums {
        if self.after() {
            Sums::Apart
        } else if self.config.normalize_forward || self.before() {
            Sums::Norm
        } else {
            Sums::Dot
        }
    }
}
