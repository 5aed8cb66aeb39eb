//! Short-term plasticity neurons and the cells they are compared with.
//!
//! A [`Cell`] maps an input sequence `[T, B, I]` and a [`State`] to activities `[T, B, H]` and the next state,
//! differentiably. Every cell has a composed path, written in candle operations and running on any device, and
//! a fused [`kernels`] path for the CPU that is tested against it.
//!
//! The crate knows no environment and no learning algorithm.

// Kernels alone may use it, each with its reason.
#![deny(unsafe_code)]

pub mod cell;
pub mod cells;
pub mod custom;
pub mod error;
pub mod kernels;
pub mod layout;
pub mod numerics;
mod options;
pub mod parameters;
pub mod parts;
mod registered;
pub mod sequence;
pub mod state;

/// What cells are written in, of the version that they have.
pub use candle_core::{Tensor, Var};
pub use cell::Cell;
pub use cells::{CellConfig, CellName};
pub use error::{Error, Result};
pub use kernels::Kernel;
pub use numerics::NUMERICS;
pub use parameters::{Initializer, Parameters};
pub use parts::{CellParts, energy_inputs};
pub use sequence::{Sequence, Step};
pub use state::{State, StateField};
