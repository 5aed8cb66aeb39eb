//! LSTM, GRU and RNN.

mod layer;
mod operands;
pub(crate) mod passes;
mod plan;

pub use layer::{Gated, GatedKind};
pub(crate) use operands::{GatedInputs, GatedOperands};
pub use plan::GatedPlan;
