//! What the tasks have in common: data, objective, batches.

use super::config::TaskConfig;
use super::data::{Answers, Sequences, Split};
use super::familiarity::DataConfig;
use super::loss::{Loss, Objective};

impl TaskConfig {
    /// What is asked of the network.
    pub fn objective(&self) -> Objective {
        match self {
            Self::Art(_) => Objective { answers: Answers::Last, loss: Loss::CrossEntropy },
            Self::Familiarity(_) => Objective { answers: Answers::Every, loss: Loss::Binary },
        }
    }

    /// What the epoch `update` learns from.
    pub fn training(&self, seed: u64, update: u64) -> Box<dyn Sequences + Send> {
        match self {
            Self::Art(config) => Box::new(config.sequences(seed, Split::Training)),
            Self::Familiarity(config) => Box::new(config.training(seed, update)),
        }
    }

    /// Whether every epoch has data of its own.
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Familiarity(config) if config.data == DataConfig::Fresh)
    }

    /// What decides which checkpoint is the best.
    pub fn validation(&self, seed: u64) -> Box<dyn Sequences + Send> {
        match self {
            Self::Art(config) => Box::new(config.sequences(seed, Split::Validation)),
            Self::Familiarity(config) => Box::new(config.sequence(seed, Split::Validation, 0, config.interval)),
        }
    }

    /// What the result is measured on.
    pub fn test(&self, seed: u64) -> Box<dyn Sequences + Send> {
        match self {
            Self::Art(config) => Box::new(config.sequences(seed, Split::Test)),
            Self::Familiarity(config) => Box::new(config.sequence(seed, Split::Test, 0, config.interval)),
        }
    }

    /// Sequences of an optimiser step.
    pub fn batch_size(&self) -> usize {
        match self {
            Self::Art(config) => config.batch_size,
            Self::Familiarity(_) => 1,
        }
    }

    /// Epochs between validations.
    pub fn validate_every(&self) -> u64 {
        match self {
            Self::Art(_) => 1,
            Self::Familiarity(config) => config.validate_every,
        }
    }
}
