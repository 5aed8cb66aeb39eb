//! Environments of Python's Gymnasium, in processes of their own.
//!
//! A few worker processes, as many as threads, make and step the environments of a run; all environments of the same
//! settings in a program share them. The workers run Python with a small program that is part of this library, so that
//! nothing of Python is linked here, and any Python from 3.9 with Gymnasium in it will do.
//!
//! Actions, observations, rewards and flags are in a file in memory that the two sides share; what goes through pipes
//! is a record of eight bytes for each environment to step, and one back. A group of environments
//! ([`crate::EnvGroup`]) first begins all of its steps ([`crate::Env::begin_step`]), then waits for them: however many
//! they are, and in however many processes, that is one exchange.
//!
//! Not to be confused with `gymnasium_rs`, the adapters for the crate of that name.

mod config;
mod env;
mod pool;
mod process;
mod protocol;
mod python;
mod seal;
mod segment;
mod spawner;
mod trust;

pub use config::GymnasiumConfig;
pub use env::{GymnasiumEnv, OwnCheck};
pub use pool::close_workers;
pub use protocol::Saving;
pub use python::{python, runs_in_python, use_python};
pub use trust::{StatesTrusted, trust_code_of, trust_environment_code, trust_named_code, trust_saved_states};
