//! The fused kernel of differentiable plasticity and Backpropamine.
//!
//! Forward, the update of the fast weights after a step and the product of the next step are one pass. Backward, a
//! step is two passes: through the update, and through the product; between them lies the modulator, which needs
//! sums over the whole matrix. Fast weights are kept every √T steps and made again from there.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod backward;
mod forward;
mod layer;
mod rule;
mod spec;
mod state;
mod sweeps;

pub use spec::ModulatedSpec;

/// The fused kernel of differentiable plasticity and Backpropamine.
pub type ModulatedKernel = super::layer::LayerKernel<ModulatedSpec>;
