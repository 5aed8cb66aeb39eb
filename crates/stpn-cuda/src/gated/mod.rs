//! LSTM, GRU and RNN.

mod layer;
mod operands;
mod passes;
mod plan;

pub use layer::{Gated, GatedKind};
pub(crate) use passes::{GatedTape, backward, forward};
pub use plan::GatedPlan;
