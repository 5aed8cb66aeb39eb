//! Recurrent actor–critic agents: policies, rollouts, algorithms, optimiser, checkpoints, logging; and the same
//! networks on [`supervised`] tasks.
//!
//! A run is a [`config::RunConfig`]. [`trainer::Trainer`] is the training loop's body, [`run::Run`] a run directory
//! with its metrics, TensorBoard events and checkpoints, which drives any [`training::Training`]; [`evaluation`]
//! measures a trained policy.

#![forbid(unsafe_code)]

pub mod actor;
pub mod advantage;
pub mod agent;
pub mod algorithms;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod device_limits;
pub mod episode;
pub mod error;
pub mod evaluation;
pub mod evaluator;
#[doc(hidden)]
pub mod hostile;
pub mod keys;
pub mod learner;
mod limits;
pub mod lock;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod optimizer;
pub mod policy;
pub mod process;
pub mod rollout;
pub mod run;
pub mod saved;
pub mod spread;
pub mod start;
pub mod statistics;
pub mod stop;
pub mod supervised;
pub mod trainer;
pub mod training;
mod unused;

pub use agent::{Agent, Memory};
pub use config::{AgentConfig, RunConfig};
pub use error::{Error, Result};
pub use metrics::Metrics;
pub use policy::ActorCritic;
pub use process::ProcessSettings;
pub use stop::Stop;
pub use trainer::Trainer;
pub use training::Training;
