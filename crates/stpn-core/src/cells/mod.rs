//! The cells, one a file, and the configuration that chooses among them.

mod backpropamine;
mod clamp;
mod config;
mod fast_weights;
mod frame_stack;
mod gru;
mod hebbff;
mod large;
mod layer_norm;
mod linear_attention;
mod linear_recurrent;
mod lstm;
mod mlp;
mod name;
#[cfg(test)]
mod order_tests;
mod rnn;
mod sigmoid;
mod stpn;
mod table;

pub use backpropamine::Backpropamine;
pub use config::{CellConfig, CellName};
pub use fast_weights::FastWeights;
pub use frame_stack::FrameStack;
pub use gru::{Gru, GruConfig};
pub use hebbff::{HebbFf, HebbFfConfig};
pub use layer_norm::LayerNorm;
pub use linear_attention::LinearAttention;
pub use linear_recurrent::{LinearRecurrent, LinearRecurrentConfig};
pub use lstm::{Lstm, LstmConfig};
pub use mlp::{Mlp, MlpConfig};
pub use rnn::{Rnn, RnnConfig};
pub use stpn::Stpn;

pub use crate::options::{
    Activation, AssociativeRule, BackpropamineConfig, Bound, Decay, FastWeightsConfig, FrameStackConfig, Granularity,
    LinearAttentionConfig, Modulation, NormOf, NormalizeState, Plastic, Rule, StpnConfig,
};
