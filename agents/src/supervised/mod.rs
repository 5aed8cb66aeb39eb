//! Supervised tasks that need a memory: an agent's trunk under a linear readout, trained by back-propagation through
//! whole sequences.
//!
//! Data are made from the run's seed. An update is one epoch: one pass over the training data.

pub mod art;
mod block;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod familiarity;
pub mod gradient;
pub mod loss;
pub mod network;
mod on_device;
pub mod sampling;
pub mod scores;
mod task;
pub mod test;
pub mod trainer;

pub use config::{NetworkConfig, SupervisedConfig, TaskConfig};
pub use network::Network;
pub use scores::Scores;
pub use test::{TestReport, test};
pub use trainer::SupervisedTrainer;
