//! The fused kernel of the STPN family: STPN, STPNf and HebbFF.

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
mod record;
mod sensitivity;
mod spec;
mod stepper;
mod update;
mod weights;

pub use prepared::PlasticKernel;
pub use spec::PlasticSpec;
