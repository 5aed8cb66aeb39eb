//! The cells, one a file, and the configuration that chooses among them.

mod backpropamine;
mod clamp;
mod fast_weights;
mod gru;
mod hebbff;
mod large;
mod layer_norm;
mod lstm;
mod mlp;
mod name;
#[cfg(test)]
mod order_tests;
mod rnn;
mod sigmoid;
mod stpn;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use backpropamine::Backpropamine;
pub use fast_weights::FastWeights;
pub use gru::{Gru, GruConfig};
pub use hebbff::{HebbFf, HebbFfConfig};
pub use layer_norm::LayerNorm;
pub use lstm::{Lstm, LstmConfig};
pub use mlp::{Mlp, MlpConfig};
pub use name::CellName;
pub use rnn::{Rnn, RnnConfig};
pub use stpn::Stpn;

pub use crate::options::{
    Activation, BackpropamineConfig, Bound, Decay, FastWeightsConfig, Granularity, Modulation, NormOf, NormalizeState,
    Plastic, Rule, StpnConfig,
};
use crate::registered::CustomConfig;
use crate::{Cell, CellParts, Initializer, Kernel, Result};

/// Which cell (`name`), with its options. Options left out take the published settings; unknown ones are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum CellConfig {
    /// Short-term plasticity neurons (STPN); feed-forward (STPNf) with `recurrent = false`.
    Stpn(StpnConfig),
    /// Anti-Hebbian feed-forward network (Tyulmankov et al. 2022).
    Hebbff(HebbFfConfig),
    /// Fast weights that attend to the recent past (Ba et al. 2016).
    FastWeights(FastWeightsConfig),
    /// Plain recurrent network.
    Rnn(RnnConfig),
    /// Long short-term memory.
    Lstm(LstmConfig),
    /// Gated recurrent unit.
    Gru(GruConfig),
    /// Backpropamine, and by `modulation` differentiable plasticity and the retroactive form.
    Backpropamine(BackpropamineConfig),
    /// A layer without memory.
    Mlp(MlpConfig),
    /// A cell of one's own, by the name under which a program registers it.
    Custom(CustomConfig),
}

impl CellConfig {
    /// A cell of `input` inputs and `hidden` units with initial values from `init`.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if an option or a size is impossible, naming its key.
    pub fn build(&self, input: usize, hidden: usize, kernel: Kernel, init: &mut Initializer) -> Result<Box<dyn Cell>> {
        let parts = CellParts::new(input, hidden, kernel)?;
        Ok(match self {
            Self::Stpn(config) => Box::new(Stpn::new(config, parts, init)?),
            Self::Hebbff(HebbFfConfig {}) => Box::new(HebbFf::new(parts, init)?),
            Self::FastWeights(config) => Box::new(FastWeights::new(config, parts, init)?),
            Self::Rnn(config) => Box::new(Rnn::new(config, parts, init)?),
            Self::Lstm(config) => Box::new(Lstm::new(config, parts, init)?),
            Self::Gru(GruConfig {}) => Box::new(Gru::new(parts, init)?),
            Self::Backpropamine(config) => Box::new(Backpropamine::new(config, parts, init)?),
            Self::Mlp(config) => Box::new(Mlp::new(config, parts, init)?),
            Self::Custom(config) => config.build(parts, init)?,
        })
    }

    /// A short name of what it is, e.g. `stpnf`; options that have no name of their own do not show in it.
    pub fn label(&self) -> &str {
        match self {
            Self::Stpn(config) => match (config.recurrent, config.granularity) {
                (true, Granularity::Scalar) => "stpn-scalar",
                (true, _) => "stpn",
                (false, Granularity::Scalar) => "stpnf-scalar",
                (false, _) => "stpnf",
            },
            Self::Hebbff(_) => "hebbff",
            Self::FastWeights(_) => "fast-weights",
            Self::Rnn(_) => "rnn",
            Self::Lstm(_) => "lstm",
            Self::Gru(_) => "gru",
            Self::Backpropamine(config) => match config.modulation {
                Modulation::Constant => "differentiable-plasticity",
                Modulation::Network => "backpropamine",
                Modulation::Retroactive => "backpropamine-retroactive",
            },
            Self::Mlp(_) => "mlp",
            Self::Custom(config) => &config.id,
        }
    }
}
