//! The kernels on the CPU, for tests: every access to memory is checked, and races are found.

/// The folder of a driver and an NVRTC that run on the CPU, for `LD_LIBRARY_PATH` of the programs under test.
/// Environment variables ask for faults (`shim/driver.cpp`).
#[cfg(target_os = "linux")]
pub const EMULATED_DRIVER: &str = env!("STPN_EMULATED_DRIVER");

mod adam;
mod advantage;
mod bytes;
mod convolution;
mod dense;
mod energy;
mod gated;
mod gather;
mod loss;
mod machine;
mod plastic;
mod rollout;
mod runner;
mod sequence;

pub use adam::{AdamResults, adam};
pub use advantage::{advantages, advantages_of_outputs};
pub use bytes::numbers_of_bytes;
pub use convolution::convolution;
pub use dense::{DenseResults, dense};
pub use energy::{MeasuredResults, dense_energy, forward_measured};
pub use gated::{GatedResults, gated_forward, gated_there_and_back};
pub use gather::gather;
pub use loss::{LossSteps, a2c_loss, a2c_loss_of_steps, ppo_loss};
pub use machine::{Machine, Order, Problems};
pub use plastic::{Forward, backward, forward};
pub use rollout::{RolloutBackward, rollout};
pub use runner::ShimReal;
pub use sequence::{Backward, Inputs};
