//! Supervised tasks that need a memory: the same cells under a linear readout, trained by back-propagation through
//! whole sequences.
//!
//! Data are made from the run's seed. An update is one epoch: one pass over the training data.

pub mod art;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod familiarity;
pub mod gradient;
pub mod loss;
pub mod network;
mod task;
pub mod test;
pub mod trainer;

pub use config::{SupervisedConfig, TaskConfig};
pub use evaluation::Scores;
pub use network::Network;
pub use test::{TestReport, test};
pub use trainer::SupervisedTrainer;
