//! The fused kernel of the layers without fast weights: LSTM, GRU, RNN and the memoryless layer.
//!
//! The inputs of many steps are projected by one product; the recurrence then takes one small product and one fused
//! pass over the units a step. Backward, the steps leave the gradients of their pre-activations, from which the
//! gradients of weights and inputs come by products over many steps.

mod backward;
mod forward;
mod pointwise;
mod spec;
mod state;
mod weights;

pub use spec::{GatedKind, GatedSpec};

/// The fused kernel of LSTM, GRU, RNN and MLP.
pub type GatedKernel = super::layer::LayerKernel<GatedSpec>;
