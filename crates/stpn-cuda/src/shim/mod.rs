//! The kernels on the CPU, for tests: every access to memory is checked, and races are found.

mod dense;
mod gated;
mod machine;
mod plastic;
mod runner;
mod sequence;

pub use dense::{AdamResults, DenseResults, adam, dense};
pub use gated::{GatedResults, gated_forward, gated_there_and_back};
pub use machine::{Machine, Order, Problems};
pub use plastic::{Forward, backward, forward};
pub use runner::ShimReal;
pub use sequence::{Backward, Inputs};
