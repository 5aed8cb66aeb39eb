//! Short names of the published cells, for command lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::{
    BackpropamineConfig, CellConfig, FastWeightsConfig, Granularity, GruConfig, HebbFfConfig, LstmConfig, MlpConfig,
    Modulation, RnnConfig, StpnConfig,
};
use crate::Error;

/// A cell of the paper or of its comparisons, by name. [`CellName::config`] gives its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellName {
    /// STPN.
    Stpn,
    /// STPNf.
    Stpnf,
    /// STPN with one λ and one γ.
    StpnScalar,
    /// STPNf with one λ and one γ.
    StpnfScalar,
    /// HebbFF.
    HebbFf,
    /// Fast weights.
    FastWeights,
    /// Plain recurrent network.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
    /// Differentiable plasticity.
    DifferentiablePlasticity,
    /// Backpropamine.
    Backpropamine,
    /// Retroactive Backpropamine.
    BackpropamineRetroactive,
    /// Memoryless layer.
    Mlp,
}

impl CellName {
    /// All names, in the order in which they are listed.
    pub const ALL: [Self; 13] = [
        Self::Stpn,
        Self::Stpnf,
        Self::StpnScalar,
        Self::StpnfScalar,
        Self::HebbFf,
        Self::FastWeights,
        Self::Rnn,
        Self::Lstm,
        Self::Gru,
        Self::DifferentiablePlasticity,
        Self::Backpropamine,
        Self::BackpropamineRetroactive,
        Self::Mlp,
    ];

    /// The name as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stpn => "stpn",
            Self::Stpnf => "stpnf",
            Self::StpnScalar => "stpn-scalar",
            Self::StpnfScalar => "stpnf-scalar",
            Self::HebbFf => "hebbff",
            Self::FastWeights => "fast-weights",
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::DifferentiablePlasticity => "differentiable-plasticity",
            Self::Backpropamine => "backpropamine",
            Self::BackpropamineRetroactive => "backpropamine-retroactive",
            Self::Mlp => "mlp",
        }
    }

    /// What it is, in one line.
    pub fn description(self) -> &'static str {
        match self {
            Self::Stpn => "short-term plasticity neurons, recurrent: a fast weight, a decay and a rate per synapse",
            Self::Stpnf => "short-term plasticity neurons, feed-forward: all memory in the synapses",
            Self::StpnScalar => "STPN with one decay and one rate for all synapses",
            Self::StpnfScalar => "STPNf with one decay and one rate for all synapses",
            Self::HebbFf => "anti-Hebbian feed-forward network (Tyulmankov et al. 2022)",
            Self::FastWeights => "fast weights that attend to the recent past (Ba et al. 2016)",
            Self::Rnn => "plain tanh recurrent network",
            Self::Lstm => "long short-term memory",
            Self::Gru => "gated recurrent unit, PyTorch's equations",
            Self::DifferentiablePlasticity => "plastic recurrent weights with one trained rate (Miconi et al. 2018)",
            Self::Backpropamine => "plastic recurrent weights with a self-made rate (Miconi et al. 2019)",
            Self::BackpropamineRetroactive => "Backpropamine acting on an eligibility trace (Miconi et al. 2019)",
            Self::Mlp => "a tanh layer without memory",
        }
    }

    /// The published options. A task may differ from them: the maze's STPN normalises its state after the update
    /// and clamps it at 1.
    pub fn config(self) -> CellConfig {
        let scalar = Granularity::Scalar;
        let modulated = |modulation| {
            CellConfig::Backpropamine(BackpropamineConfig { modulation, ..BackpropamineConfig::default() })
        };
        match self {
            Self::Stpn => CellConfig::Stpn(StpnConfig::default()),
            Self::Stpnf => CellConfig::Stpn(StpnConfig::feed_forward()),
            Self::StpnScalar => CellConfig::Stpn(StpnConfig { granularity: scalar, ..StpnConfig::default() }),
            Self::StpnfScalar => CellConfig::Stpn(StpnConfig { granularity: scalar, ..StpnConfig::feed_forward() }),
            Self::HebbFf => CellConfig::Hebbff(HebbFfConfig {}),
            Self::FastWeights => CellConfig::FastWeights(FastWeightsConfig::default()),
            Self::Rnn => CellConfig::Rnn(RnnConfig::default()),
            Self::Lstm => CellConfig::Lstm(LstmConfig::default()),
            Self::Gru => CellConfig::Gru(GruConfig {}),
            Self::DifferentiablePlasticity => modulated(Modulation::Constant),
            Self::Backpropamine => modulated(Modulation::Network),
            Self::BackpropamineRetroactive => modulated(Modulation::Retroactive),
            Self::Mlp => CellConfig::Mlp(MlpConfig::default()),
        }
    }
}

impl Display for CellName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for CellName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or_else(|| Error::Unknown {
            kind: "cell",
            name: name.to_string(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}
