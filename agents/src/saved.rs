//! What is saved of a training: how far it has come, and everything it needs to continue bit for bit.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::algorithms::PpoState;
use crate::logging::LogState;
use crate::optimizer::Adam;
use crate::rollout::Normalization;
use crate::rollout::worker::SavedWorker;

/// Updates whose episodes make up `charts/episodic_return_recent`.
pub(crate) const RECENT_UPDATES: usize = 50;

/// How far a run has come. Saved in every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates done.
    pub update: u64,
    /// Environment steps taken, over all environments.
    pub env_steps: u64,
    /// Episodes finished.
    pub episodes: u64,
    /// What ended in each of the last 50 updates.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub recent: VecDeque<Ended>,
    /// Best mean return so far: of evaluations where there are any, else of `recent` at checkpoints.
    pub best_return: Option<f64>,
    /// Statistics for normalising observations and rewards.
    #[serde(default, skip_serializing_if = "Normalization::is_off")]
    pub normalization: Normalization,
    /// What PPO carries from update to update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppo: Option<PpoState>,
    /// Best validation of a supervised task so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_validation: Option<Validation>,
}

/// Episodes that ended in one update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How many.
    pub episodes: u64,
    /// Sum of their returns.
    pub returns: f64,
}

/// A validation of a supervised task.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Share of right answers.
    pub accuracy: f64,
    /// The update after which it was measured.
    pub update: u64,
}

impl Progress {
    /// Whether [`Progress::recent_return`] is of as many updates as it can be, and at least this.
    pub fn has_reached(&self, target: f64) -> bool {
        self.recent.len() == RECENT_UPDATES && self.recent_return().is_some_and(|mean| mean >= target)
    }

    /// Mean return of the episodes that ended in the last 50 updates, each with the same weight.
    pub fn recent_return(&self) -> Option<f64> {
        let episodes: u64 = self.recent.iter().map(|ended| ended.episodes).sum();
        (episodes > 0).then(|| self.recent.iter().map(|ended| ended.returns).sum::<f64>() / episodes as f64)
    }
}

/// Everything a trainer needs to continue bit for bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedTrainer {
    /// Counters and best-so-far.
    pub progress: Progress,
    /// All parameters, flat.
    pub parameters: Vec<f32>,
    /// The optimiser.
    pub adam: Adam,
    /// Environments, random streams and recurrent states, one entry per worker.
    pub workers: Vec<SavedWorker>,
    /// What the run's logs carry on.
    pub log: LogState,
}
