//! What the logs carry from update to update: saved with every checkpoint, so that a resumed run goes on with them.

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

/// What the logs carry from update to update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogState {
    /// Seconds that the run has been trained for, by all processes that had it.
    pub elapsed_seconds: f64,
    /// Updates since the last entry.
    pub updates: u64,
    /// What they come to.
    pub pending: Metrics,
}

impl LogState {
    /// Takes in an update.
    pub fn add(&mut self, metrics: &Metrics) {
        self.updates += 1;
        self.pending.accumulate(metrics);
    }

    /// The updates since the last entry and what they come to; from here on the next entry is gathered.
    pub fn take(&mut self) -> (u64, Metrics) {
        (std::mem::take(&mut self.updates), std::mem::take(&mut self.pending))
    }
}
