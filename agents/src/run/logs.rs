//! What a run logs, when, and what its logs carry from one process to the next.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::Result;
use crate::config::RunConfig;
use crate::logging::jsonl::Entry;
use crate::logging::{EventLog, LogState, MetricsLog};
use crate::metrics::{Metrics, Over};
use crate::training::Training;

/// A run's logs. Only the first rank writes them.
pub(super) struct Logs {
    files: Option<Files>,
    /// After the last update; shared with whoever saves the run where an environment hangs.
    state: Arc<Mutex<LogState>>,
    /// Before the last update.
    before: LogState,
    /// The last update.
    update: u64,
    started: Instant,
    /// Seconds of earlier processes.
    elapsed_before: f64,
}

/// The open files.
struct Files {
    metrics: MetricsLog,
    events: EventLog,
}

impl Logs {
    /// Logs in `directory` that go on from `state` after an update and, in TensorBoard, a `step`; from the beginning
    /// where `None`. Without files where this rank does not write.
    pub fn open(directory: &Path, state: LogState, update: u64, step: Option<u64>, writes: bool) -> Result<Self> {
        let open = || -> Result<Files> {
            let metrics = MetricsLog::open(&directory.join("metrics.jsonl"), update)?;
            Ok(Files { metrics, events: EventLog::open(directory, step)? })
        };
        Ok(Self {
            files: writes.then(open).transpose()?,
            before: state.clone(),
            update,
            started: Instant::now(),
            elapsed_before: state.elapsed_seconds,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Writes what was measured in an update by itself, what has gathered where an entry is due, and histograms.
    pub fn update(&mut self, training: &dyn Training, config: &RunConfig, metrics: &mut Metrics) {
        let elapsed = self.elapsed_before + self.started.elapsed().as_secs_f64();
        metrics.set_over("time/elapsed_seconds", elapsed, Over::Last);
        let counters = training.counters();
        let [(_, update), (_, step)] = counters;
        self.update = update;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.before.clone_from(&state);
        state.elapsed_seconds = elapsed;
        state.add(metrics);
        let mut entry = (0, Metrics::default());
        if update.is_multiple_of(config.log().every) {
            entry = state.take();
        }
        entry.1.extend(&metrics.events());
        drop(state);
        let Some(Files { metrics, events }) = &mut self.files else { return };
        if !entry.1.is_empty() {
            metrics.write(&counters, Entry::Due(entry.0), &entry.1);
            events.scalars(step, &entry.1);
        }
        if update.is_multiple_of(config.log().histograms_every) || update == 1 {
            events.histograms(step, &training.histograms());
        }
    }

    /// Writes what is left over where this process ends. It goes when the run is resumed, which goes on adding to it.
    pub fn end(&mut self, training: &dyn Training, finished: bool) {
        let Some(Files { metrics, events }) = &mut self.files else { return };
        let counters = training.counters();
        let [_, (_, step)] = counters;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        events.epilogue(step);
        if state.updates > 0 {
            metrics.write(&counters, Entry::Tail(state.updates), &state.pending);
            events.scalars(step, &state.pending);
        }
        if finished {
            events.finished(step);
        }
    }

    /// Writes scalars that are of no update, after [`Logs::end`].
    pub fn scalars(&mut self, step: u64, metrics: &Metrics) {
        if let Some(Files { events, .. }) = &mut self.files {
            events.scalars(step, metrics);
        }
    }

    /// Writes a text for TensorBoard.
    pub fn text(&mut self, step: u64, name: &str, text: &str) {
        if let Some(Files { events, .. }) = &mut self.files {
            events.text(step, name, &indented(text));
        }
    }

    /// Tells TensorBoard's page of hyperparameters what the run's are.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if a value has no TOML form.
    pub fn hyperparameters(&mut self, config: &RunConfig) -> Result<()> {
        if let Some(Files { events, .. }) = &mut self.files {
            events.hyperparameters(&config.keys()?);
        }
        Ok(())
    }

    /// Makes what was written survive a power cut: a checkpoint must not be ahead of it.
    pub fn sync(&mut self) {
        if let Some(Files { metrics, events }) = &mut self.files {
            metrics.sync();
            events.sync();
        }
    }

    /// What belongs into the checkpoint after `update`, the last one or the one before.
    pub fn state_after(&self, update: u64) -> LogState {
        match update == self.update {
            true => self.state.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            false => self.before.clone(),
        }
    }

    /// What belongs into the checkpoint of the last state, whenever it is asked for.
    pub fn shared_state(&self) -> impl Fn() -> LogState + Send + Sync + 'static {
        let state = Arc::clone(&self.state);
        move || state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Markdown that shows `text` as it is.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
