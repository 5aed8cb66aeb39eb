//! Reinforcement-learning environments in the shape of Gymnasium, and the vector form that rollouts step.
//!
//! The crate knows no network: it takes actions and writes observations into buffers that the caller owns.

#![forbid(unsafe_code)]

pub mod check_env;
pub mod classic;
pub mod env;
pub mod error;
#[cfg(feature = "gymnasium-rs")]
pub mod gymnasium;
pub mod maze;
mod panic;
pub mod registry;
pub mod space;
pub mod state;
pub mod throughput;
pub mod vector;
pub mod wrappers;

pub use env::{Action, Env, Episode, ObservationMut, Step};
pub use error::{Error, Result};
pub use registry::EnvConfig;
pub use space::{Dtype, Space};
pub use vector::{EnvGroup, Transition, VectorEnv};
