//! What a plastic layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::LayerLayout;
use crate::options::{Decay, Granularity, NormOf, NormalizeState, Rule, StpnConfig};

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
    /// Where the parameters lie.
    pub places: Places,
    /// Where the state lies.
    pub state: StatePlaces,
}

/// Ranges of the packed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `[H, D]`
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

/// Where the fields start in the packed state of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlaces {
    /// Length S.
    pub len: usize,
    /// h, if it is part of it.
    pub hidden: Option<usize>,
    /// F
    pub fast: usize,
    /// The state of the bias, if there is one.
    pub bias: Option<usize>,
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
    /// The STPN or STPNf of that configuration that has been declared so; none for Oja's rule and for a state divided by
    /// ‖F‖, which would need passes of their own.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn stpn(config: &StpnConfig, layout: &LayerLayout) -> Result<Option<Self>> {
        let divided_by_fast = config.normalize_state != NormalizeState::None && config.norm_of == NormOf::F;
        let served = config.rule == Rule::Hebb && !divided_by_fast;
        served.then(|| Self::new(config.clone(), false, ["lambda", "gamma"], layout)).transpose()
    }

    /// HebbFF.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn hebbff(layout: &LayerLayout) -> Result<Self> {
        let config = StpnConfig {
            recurrent: false,
            normalize_forward: false,
            normalize_state: NormalizeState::None,
            granularity: Granularity::Scalar,
            ..StpnConfig::default()
        };
        Self::new(config, true, ["lambda_raw", "gamma_raw"], layout)
    }

    fn new(config: StpnConfig, hebbff: bool, [lambda, gamma]: [&str; 2], layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        let start = |range: Range<usize>| range.start;
        Ok(Self {
            config,
            hebbff,
            input: *input,
            hidden: *hidden,
            places: Places {
                weight: parameters.range("weight")?,
                bias: parameters.find("bias"),
                lambda: parameters.range(lambda)?,
                gamma: parameters.range(gamma)?,
                bias_lambda: parameters.find("bias_lambda"),
                bias_gamma: parameters.find("bias_gamma"),
                gain: parameters.find("layer_norm.weight"),
                offset: parameters.find("layer_norm.bias"),
                len: parameters.len(),
            },
            state: StatePlaces {
                len: state.len(),
                hidden: state.find("h").map(start),
                fast: state.range("F")?.start,
                bias: state.find("bias_F").map(start),
            },
        })
    }

    /// Size D of the presynaptic vector.
    pub fn width(&self) -> usize {
        self.config.width(self.input, self.hidden)
    }

    /// The columns with fast weights.
    pub fn plastic(&self) -> Range<usize> {
        self.config.plastic_columns(self.input, self.hidden)
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
