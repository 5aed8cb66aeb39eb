//! The fused kernel of fast weights with inner steps.
//!
//! The first inner step's product and the update of the fast weights before it are one pass; so are, backward, their
//! derivatives. Fast weights are kept every √T steps and made again from there.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod backward;
mod forward;
mod layer;
mod spec;
mod state;
mod sweeps;

pub use spec::AttentiveSpec;

/// The fused kernel of fast weights.
pub type AttentiveKernel = super::layer::LayerKernel<AttentiveSpec>;
