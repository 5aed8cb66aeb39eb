//! The beginning of a training, from either kind of configuration.

use std::sync::Arc;

use crate::collective::{Collective, Local};
use crate::config::RunConfig;
use crate::supervised::SupervisedTrainer;
use crate::trainer::Trainer;
use crate::training::Training;
use crate::{Error, Result};

/// The training that a configuration describes, at its beginning.
///
/// # Errors
/// Fails on an impossible configuration or an environment that cannot be made.
pub fn training(config: &RunConfig) -> Result<Box<dyn Training>> {
    training_on(config, Arc::new(Local))
}

/// One rank's part of the training that a configuration describes.
///
/// # Errors
/// As [`training`], and for a supervised task on several ranks.
pub fn training_on(config: &RunConfig, ranks: Arc<dyn Collective>) -> Result<Box<dyn Training>> {
    Ok(match config {
        RunConfig::Agent(config) => Box::new(Trainer::on_ranks(config, ranks)?),
        RunConfig::Supervised(_) if ranks.size() > 1 => {
            let problem = "supervised tasks train in one process; start it without mpirun";
            return Err(Error::config("task", problem));
        }
        RunConfig::Supervised(config) => Box::new(SupervisedTrainer::new(config)?),
    })
}
