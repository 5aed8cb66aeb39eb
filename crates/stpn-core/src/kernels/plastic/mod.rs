//! The fused kernel of the STPN family: STPN, STPNf and HebbFF.

#![allow(clippy::needless_range_loop, reason = "one index walks several rows of lanes in step")]

mod activity;
mod adjoint;
mod backward;
mod cohort;
mod form;
mod forward;
mod gradients;
mod oja;
mod packing;
mod plan;
mod prepared;
mod presynaptic;
mod recompute;
mod record;
mod segment;
mod sensitivity;
mod spec;
mod stepper;
#[cfg(test)]
mod tests;
mod update;
mod weights;

pub use prepared::PlasticKernel;
pub use spec::PlasticSpec;
