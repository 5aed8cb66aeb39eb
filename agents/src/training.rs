//! What a run needs of the training it drives: an agent's in an environment, or a network's on a supervised task.

use std::sync::Arc;

use crate::collective::{Collective, Local};
use crate::logging::Histogram;
use crate::metrics::Metrics;
use crate::optimizer::FlatLayout;
use crate::stop::Stop;
use crate::trainer::{Progress, SavedTrainer, Trainer};
use crate::{Error, Result, RunConfig};

/// Called from another thread where an environment hangs, with the state before the update that is under way.
pub type OnHang = Arc<dyn Fn(&SavedTrainer, Error) + Send + Sync>;

/// A state that is better than all others so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    /// The state after the last update.
    Present,
    /// The state before the last update, [`Training::last_good`]: it was evaluated beside it.
    Before,
}

/// A training, between two updates.
pub trait Training: Send {
    /// How far it has come.
    fn progress(&self) -> &Progress;

    /// True where nothing is left to do.
    fn finished(&self) -> bool;

    /// What numbers an entry of the logs: `update`, and the x-axis of TensorBoard.
    fn counters(&self) -> [(&'static str, u64); 2];

    /// One update.
    ///
    /// # Errors
    /// Fails where an environment does or numbers stop being finite, and with [`Error::Stopped`] where the update is to
    /// be given up; [`Training::last_good`] is then the state before it.
    fn update(&mut self) -> Result<Metrics>;

    /// Which state, if any, proved in the last update to be the best so far, to be checkpointed as such; it is
    /// remembered. `due`: a checkpoint of the present one is written anyhow.
    fn note_best(&mut self, due: bool) -> Option<Best>;

    /// Where each parameter lies in flat buffers.
    fn layout(&self) -> &FlatLayout;

    /// Everything needed to continue from here.
    ///
    /// # Errors
    /// Fails where an environment cannot be saved.
    fn save(&mut self) -> Result<SavedTrainer>;

    /// Everything needed to continue from before the last update, or the one that failed.
    fn last_good(&self) -> SavedTrainer;

    /// Continues from a saved state of the same configuration.
    ///
    /// # Errors
    /// Fails, naming what differs, where the state is of another configuration.
    fn restore(&mut self, saved: SavedTrainer) -> Result<()>;

    /// Whom to call where an environment hangs; nobody where there is none.
    fn on_hang(&mut self, _on_hang: OnHang) {}

    /// Whom an update asks whether to go on; one that asks nobody is always finished.
    fn set_stop(&mut self, _stop: &Stop) {}

    /// Histograms of parameters and states, by name.
    fn histograms(&self) -> Vec<(String, Histogram)>;
}

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
        RunConfig::Supervised(config) => Box::new(crate::supervised::SupervisedTrainer::new(config)?),
    })
}

/// Histograms of every parameter, named `parameters/…`.
pub(crate) fn parameter_histograms(layout: &FlatLayout, values: &[f32]) -> Vec<(String, Histogram)> {
    let entries = layout.entries();
    entries
        .filter_map(|(name, _, range)| Histogram::of(&values[range]).map(|h| (format!("parameters/{name}"), h)))
        .collect()
}

impl Training for Trainer {
    fn progress(&self) -> &Progress {
        Self::progress(self)
    }

    fn finished(&self) -> bool {
        Self::progress(self).update >= self.config().training.updates
    }

    fn counters(&self) -> [(&'static str, u64); 2] {
        let progress = Self::progress(self);
        [("update", progress.update), ("env_steps", progress.env_steps)]
    }

    fn update(&mut self) -> Result<Metrics> {
        Self::update(self)
    }

    fn note_best(&mut self, due: bool) -> Option<Best> {
        Self::note_best(self, due)
    }

    fn layout(&self) -> &FlatLayout {
        self.learner().layout()
    }

    fn save(&mut self) -> Result<SavedTrainer> {
        Self::save(self)
    }

    fn last_good(&self) -> SavedTrainer {
        Self::last_good(self)
    }

    fn restore(&mut self, saved: SavedTrainer) -> Result<()> {
        Self::restore(self, saved)
    }

    fn on_hang(&mut self, on_hang: OnHang) {
        Self::on_hang(self, on_hang);
    }

    fn set_stop(&mut self, stop: &Stop) {
        Self::set_stop(self, stop);
    }

    /// Of every parameter, and of the recurrent state of the first environments.
    fn histograms(&self) -> Vec<(String, Histogram)> {
        let learner = self.learner();
        let mut histograms = parameter_histograms(learner.layout(), learner.values());
        if let Some(worker) = self.workers().first() {
            let layout = learner.policy().cell().state_layout();
            let width = learner.policy().state_len();
            let mut start = 0;
            for field in layout {
                let values: Vec<f32> = worker
                    .state()
                    .chunks_exact(width)
                    .flat_map(|state| &state[start..start + field.len()])
                    .copied()
                    .collect();
                histograms.extend(Histogram::of(&values).map(|h| (format!("state/{}", field.name), h)));
                start += field.len();
            }
        }
        histograms
    }
}
