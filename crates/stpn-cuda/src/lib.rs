//! Kernels of short-term plasticity, and of what a policy needs beside it, for CUDA devices.
//!
//! The kernels (`kernels/`) compute whole sequences of the STPN, STPNf, HebbFF, differentiable plasticity and
//! Backpropamine, forward and backward, one block of threads for each environment; the same of LSTM, GRU and RNN, one
//! block for some environments; the energy of their units; matrix products for dense layers and convolutions; rollouts
//! with any of these cells in mazes, in games of POPGym, and in environments of which everything is known in advance
//! but the action before; the losses of A2C and PPO; advantages; and steps of Adam. They are C++ without any header of
//! the vendor.
//!
//! * With the feature `cuda`, NVRTC compiles them for one layer at its first use, and they run on the device. The
//!   driver and NVRTC are loaded when they are needed: the crate builds, and programs start, on machines without them.
//!   **This part is untested on hardware.**
//! * With the feature `shim`, a C++ compiler builds the same source for the CPU, behind a small machine that runs a
//!   block's threads from barrier to barrier, and finds races. The tests run on it. It is slow.

// Without a runner nothing launches.
#![cfg_attr(not(any(feature = "cuda", feature = "shim")), allow(dead_code))]

mod adam;
mod advantage;
mod any;
mod bytes;
mod convolution;
#[cfg(feature = "cuda")]
pub mod cuda;
mod dense;
mod distribution;
mod encoder;
mod energy;
mod error;
mod extent;
mod foreseen;
pub mod game;
mod gated;
mod gather;
mod layer;
mod lengths;
mod loss;
pub mod maze;
mod nonlinearity;
mod plan;
mod plastic;
mod play;
mod played_sizes;
mod policy;
mod ppo;
mod product;
mod real;
pub mod rollout;
mod runner;
mod sequence;
#[cfg(feature = "shim")]
pub mod shim;
mod source;
mod spec;
mod tape;

/// The number of the kernels' arithmetic: raised whenever a change alters a bit of what they compute, or of what a run
/// gets from them.
///
/// `tests/numerics` has checksums of single-precision results on the CPU, and fails if they change while this number
/// stands still. What NVRTC makes of the source is not in them.
pub const NUMERICS: u32 = 5;

pub use adam::{AdamPiece, AdamSettings};
pub use advantage::AdvantageSteps;
pub use any::AnyLayer;
pub use convolution::Convolution;
pub use dense::Dense;
pub use distribution::{Actions, Distribution, Gaussian, Std};
pub use energy::EnergyOf;
pub use error::{Error, Result};
pub use extent::{Extent, FAN};
pub use gated::{Gated, GatedKind, GatedPlan};
pub use gather::Gathered;
pub use layer::{Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule, Synapses};
pub use loss::{A2cLoss, A2cSteps, A2cSums};
pub use nonlinearity::Nonlinearity;
pub use plan::{Place, Plan, Threads};
pub use policy::{OutputGradients, Outputs};
pub use ppo::{PpoLoss, PpoSteps, PpoSums};
pub use real::Real;
pub use source::{gated_source, general_source, kernel_name, source};
