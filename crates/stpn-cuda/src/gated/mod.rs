//! LSTM, GRU and RNN.

mod layer;
mod operands;
pub(crate) mod passes;
mod plan;

pub use layer::{Gated, GatedKind};
pub use plan::GatedPlan;
