//! What a training writes down, and goes on from.

use rayon::prelude::*;

use super::Trainer;
use crate::logging::LogState;
use crate::rollout::worker::SavedWorker;
use crate::saved::SavedTrainer;
use crate::{Error, Result};

impl Trainer {
    /// Keeps the state before an update, so that a failing one can be undone.
    pub(super) fn remember(&mut self) -> Result<()> {
        self.evaluated = None;
        let before = &mut self.before;
        before.progress.clone_from(&self.progress);
        before.parameters.clear();
        before.parameters.extend_from_slice(self.learner.values());
        before.adam.clone_from(self.learner.adam());
        self.workers.par_iter_mut().zip(&mut before.workers).try_for_each(|(worker, saved)| worker.save(saved))
    }

    /// Everything needed to continue from here.
    ///
    /// # Errors
    /// Fails if an environment cannot be saved.
    pub fn save(&mut self) -> Result<SavedTrainer> {
        let mut workers = vec![SavedWorker::default(); self.workers.len()];
        self.workers.par_iter_mut().zip(&mut workers).try_for_each(|(worker, saved)| worker.save(saved))?;
        Ok(SavedTrainer {
            progress: self.progress.clone(),
            parameters: self.learner.values().to_vec(),
            adam: self.learner.adam().clone(),
            workers,
            log: LogState::default(),
        })
    }

    /// Everything needed to continue from before the update that failed.
    pub fn last_good(&self) -> SavedTrainer {
        self.before.clone()
    }

    /// Continues from a saved state of the same configuration. Without saved workers the environments stay as they are.
    ///
    /// # Errors
    /// Fails, naming what differs, where the state is of another configuration.
    pub fn restore(&mut self, saved: SavedTrainer) -> Result<()> {
        if !saved.workers.is_empty() && saved.workers.len() != self.workers.len() {
            let problem = format!("{} saved workers where {} are needed", saved.workers.len(), self.workers.len());
            return Err(Error::config("checkpoint", problem));
        }
        if saved.progress.normalization.observations.len() != self.progress.normalization.observations.len() {
            return Err(Error::config("checkpoint", "its observation statistics are of another environment"));
        }
        self.learner.restore(saved.parameters, saved.adam)?;
        self.workers.iter_mut().zip(&saved.workers).try_for_each(|(worker, saved)| worker.restore(saved))?;
        self.progress = saved.progress;
        Ok(())
    }
}
