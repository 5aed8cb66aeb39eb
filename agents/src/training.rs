//! What a run needs of the training it drives: an agent's in an environment, or a network's on a supervised task.

use std::sync::Arc;

use crate::logging::Histogram;
use crate::metrics::Metrics;
use crate::optimizer::FlatLayout;
use crate::saved::{Progress, SavedTrainer};
use crate::stop::Stop;
use crate::{Error, Result};

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

    /// True if nothing is left to do.
    fn finished(&self) -> bool;

    /// What runs where, in words; nothing if all of it runs on the CPU.
    fn placement(&self) -> Option<String> {
        None
    }

    /// What numbers an entry of the logs: `update`, and the x-axis of TensorBoard.
    fn counters(&self) -> [(&'static str, u64); 2];

    /// One update.
    ///
    /// # Errors
    /// Fails if an environment does or numbers stop being finite, and with [`Error::Stopped`] if the update is to
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
    /// Fails if an environment cannot be saved.
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

/// Histograms of every parameter, named `parameters/…`.
pub(crate) fn parameter_histograms(layout: &FlatLayout, values: &[f32]) -> Vec<(String, Histogram)> {
    let entries = layout.entries();
    entries
        .filter_map(|(name, _, range)| Histogram::of(&values[range]).map(|h| (format!("parameters/{name}"), h)))
        .collect()
}
