//! Sequence kernels of short-term plasticity for CUDA devices.
//!
//! The kernels (`kernels/plastic.cu`) compute whole sequences of the STPN, STPNf, HebbFF, differentiable plasticity and
//! Backpropamine, forward and backward, one block of threads for each environment. They are C++ without any header of
//! the vendor.
//!
//! * With the feature `cuda`, NVRTC compiles them for one layer at its first use, and they run on the device. The
//!   driver and NVRTC are loaded when they are needed: the crate builds, and programs start, on machines without them.
//!   **This part is untested on hardware.**
//! * With the feature `shim`, a C++ compiler builds the same source for the CPU, behind a small machine that runs a
//!   block's threads from barrier to barrier, and finds races. The tests run on it. It is slow.

#[cfg(feature = "cuda")]
pub mod cuda;
mod error;
mod extent;
mod layer;
mod plan;
mod real;
#[cfg(feature = "shim")]
pub mod shim;
mod source;

pub use error::{Error, Result};
pub use extent::{Extent, FAN};
pub use layer::{Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule, Synapses};
pub use plan::{Place, Plan, Threads};
pub use real::Real;
pub use source::{RawSpec, kernel_name, source};
