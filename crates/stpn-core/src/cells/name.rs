//! Short names of the published cells, for command lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use super::{
    BackpropamineConfig, CellConfig, FastWeightsConfig, Granularity, GruConfig, HebbFfConfig, LstmConfig, MlpConfig,
    Modulation, RnnConfig, StpnConfig,
};
use crate::Error;
use crate::registered::{self, CustomConfig};

/// Makes [`CellName`] from an entry per name: `Variant, "name", "what it is, in one line", options;`.
macro_rules! names {
    ($($variant:ident, $name:literal, $description:literal, $config:expr;)*) => {
        /// A cell of the paper or of its comparisons, or one that this process has registered ([`crate::custom`]), by
        /// name. [`CellName::config`] gives its options.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CellName {
            $(
                #[doc = $description]
                $variant,
            )*
            /// A registered one, by its name.
            Custom(&'static str),
        }

        impl CellName {
            /// All names of this crate, in the order in which they are listed.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Custom(name) => name,
                }
            }

            /// What it is, in one line.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                    Self::Custom(name) => registered::find(name).map_or("", |cell| cell.summary),
                }
            }

            /// The published options. A task may differ from them: the maze's STPN normalises its state after the update
            /// and clamps it at 1.
            pub fn config(self) -> CellConfig {
                match self {
                    $(Self::$variant => $config,)*
                    Self::Custom(name) => CellConfig::Custom(CustomConfig::new(name)),
                }
            }
        }
    };
}

names! {
    Stpn, "stpn", "short-term plasticity neurons, recurrent: a fast weight, a decay and a rate per synapse",
        CellConfig::Stpn(StpnConfig::default());
    Stpnf, "stpnf", "short-term plasticity neurons, feed-forward: all memory in the synapses",
        CellConfig::Stpn(StpnConfig::feed_forward());
    StpnScalar, "stpn-scalar", "STPN with one decay and one rate for all synapses", scalar(StpnConfig::default());
    StpnfScalar, "stpnf-scalar", "STPNf with one decay and one rate for all synapses",
        scalar(StpnConfig::feed_forward());
    HebbFf, "hebbff", "anti-Hebbian feed-forward network (Tyulmankov et al. 2022)", CellConfig::Hebbff(HebbFfConfig {});
    FastWeights, "fast-weights", "fast weights that attend to the recent past (Ba et al. 2016)",
        CellConfig::FastWeights(FastWeightsConfig::default());
    Rnn, "rnn", "plain tanh recurrent network", CellConfig::Rnn(RnnConfig::default());
    Lstm, "lstm", "long short-term memory", CellConfig::Lstm(LstmConfig::default());
    Gru, "gru", "gated recurrent unit, PyTorch's equations", CellConfig::Gru(GruConfig {});
    DifferentiablePlasticity, "differentiable-plasticity",
        "plastic recurrent weights with one trained rate (Miconi et al. 2018)", modulated(Modulation::Constant);
    Backpropamine, "backpropamine", "plastic recurrent weights with a self-made rate (Miconi et al. 2019)",
        modulated(Modulation::Network);
    BackpropamineRetroactive, "backpropamine-retroactive",
        "Backpropamine acting on an eligibility trace (Miconi et al. 2019)", modulated(Modulation::Retroactive);
    Mlp, "mlp", "a tanh layer without memory", CellConfig::Mlp(MlpConfig::default());
}

impl CellName {
    /// All names: those of this crate, then those that this process has registered.
    pub fn all() -> Vec<Self> {
        let registered = registered::registered().into_iter().map(|cell| Self::Custom(cell.name));
        Self::ALL.into_iter().chain(registered).collect()
    }
}

fn scalar(config: StpnConfig) -> CellConfig {
    CellConfig::Stpn(StpnConfig { granularity: Granularity::Scalar, ..config })
}

fn modulated(modulation: Modulation) -> CellConfig {
    CellConfig::Backpropamine(BackpropamineConfig { modulation, ..BackpropamineConfig::default() })
}

impl Display for CellName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for CellName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all().into_iter().find(|known| known.as_str() == name).ok_or_else(|| Error::Unknown {
            kind: "cell",
            name: name.to_string(),
            known: Self::all().into_iter().map(Self::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}
