//! A run directory: a trainer with its metrics, TensorBoard events and checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::checkpoint;
use crate::config::RunConfig;
use crate::logging::{EventLog, Histogram, MetricsLog};
use crate::metrics::Metrics;
use crate::trainer::{Progress, Trainer};
use crate::{Error, Result};

/// A run in progress.
pub struct Run {
    directory: PathBuf,
    trainer: Trainer,
    metrics: MetricsLog,
    events: EventLog,
    checkpointed: Option<u64>,
    started: Instant,
}

/// Why training stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are done.
    Finished,
    /// The observer asked to stop.
    Interrupted,
}

impl Run {
    /// Starts a run in `directory`, which must be empty or absent. `command_line` is logged as text.
    ///
    /// # Errors
    /// [`Error::RunDirectory`] where the directory is in use, [`Error::Config`] on an impossible configuration.
    pub fn start(config: &RunConfig, directory: &Path, command_line: &str) -> Result<Self> {
        config.check()?;
        fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
        let mut listing = fs::read_dir(directory).map_err(Error::io("cannot list", directory))?;
        if listing.next().is_some() {
            return Err(Error::RunDirectory {
                path: directory.to_path_buf(),
                problem: "is not empty: give another with --run-dir, or continue this run with `stpn resume`".into(),
            });
        }
        let trainer = Trainer::new(config)?;
        let path = directory.join("config.toml");
        let text = config.to_toml()?;
        fs::write(&path, &text).map_err(Error::io("cannot write", &path))?;
        let mut run = Self::open(directory, trainer)?;
        run.events.text(0, "command_line", &format!("    {command_line}"));
        run.events.text(0, "config", &indented(&text));
        Ok(run)
    }

    /// Continues the run in `directory` from its newest sound checkpoint; returns what was passed over as damaged.
    /// `change` may alter the configuration, e.g. the number of updates.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where no checkpoint can be used.
    pub fn resume(directory: &Path, change: impl FnOnce(&mut RunConfig)) -> Result<(Self, Vec<Error>)> {
        let (saved, damaged) = checkpoint::newest(&directory.join("checkpoints"))?;
        let mut config = saved.config.clone();
        change(&mut config);
        let mut trainer = Trainer::new(&config)?;
        let state = saved.trainer(trainer.learner().layout())?;
        trainer.restore(state)?;
        let path = directory.join("config.toml");
        fs::write(&path, config.to_toml()?).map_err(Error::io("cannot write", &path))?;
        let mut run = Self::open(directory, trainer)?;
        run.checkpointed = Some(saved.progress.update);
        Ok((run, damaged))
    }

    fn open(directory: &Path, trainer: Trainer) -> Result<Self> {
        let Progress { update, env_steps, .. } = *trainer.progress();
        Ok(Self {
            directory: directory.to_path_buf(),
            metrics: MetricsLog::open(&directory.join("metrics.jsonl"), update)?,
            events: EventLog::open(directory, (update > 0).then_some(env_steps))?,
            trainer,
            checkpointed: None,
            started: Instant::now(),
        })
    }

    /// The run's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The agent.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains until all configured updates are done or `observe`, called after each, breaks. Either way the last
    /// state is checkpointed.
    ///
    /// # Errors
    /// Fails where an environment does, numbers stop being finite or files cannot be written; the state before the
    /// failing update is then checkpointed, where that is possible.
    pub fn train(&mut self, mut observe: impl FnMut(&Progress, &Metrics) -> ControlFlow<()>) -> Result<Outcome> {
        let mut outcome = Outcome::Finished;
        while self.trainer.progress().update < self.trainer.config().training.updates {
            let mut metrics = match self.trainer.update() {
                Ok(metrics) => metrics,
                Err(error) => {
                    self.save_last_good()?;
                    return Err(error);
                }
            };
            metrics.set("time/elapsed_seconds", self.started.elapsed().as_secs_f64());
            self.log(&metrics)?;
            if self.trainer.progress().update.is_multiple_of(self.trainer.config().checkpoint.every) {
                let best = self.trainer.note_best();
                self.checkpoint(best)?;
            }
            if observe(self.trainer.progress(), &metrics).is_break() {
                outcome = Outcome::Interrupted;
                break;
            }
        }
        if self.checkpointed != Some(self.trainer.progress().update) {
            self.checkpoint(false)?;
        }
        Ok(outcome)
    }

    /// Writes an update's metrics, and histograms where they are due.
    fn log(&mut self, metrics: &Metrics) -> Result<()> {
        let progress = self.trainer.progress();
        let config = &self.trainer.config().log;
        if progress.update.is_multiple_of(config.every) {
            self.metrics.write(&[("update", progress.update), ("env_steps", progress.env_steps)], metrics);
            self.events.scalars(progress.env_steps, metrics);
        }
        if progress.update.is_multiple_of(config.histograms_every) || progress.update == 1 {
            self.events.histograms(progress.env_steps, &histograms(&self.trainer));
        }
        Ok(())
    }

    fn checkpoint(&mut self, best: bool) -> Result<()> {
        let saved = self.trainer.save()?;
        let layout = self.trainer.learner().layout();
        checkpoint::write(&self.directory.join("checkpoints"), self.trainer.config(), layout, &saved, best)?;
        self.checkpointed = Some(saved.progress.update);
        Ok(())
    }

    /// Checkpoints the state before the update that failed.
    fn save_last_good(&mut self) -> Result<()> {
        let saved = self.trainer.last_good();
        if self.checkpointed == Some(saved.progress.update) {
            return Ok(());
        }
        let layout = self.trainer.learner().layout();
        checkpoint::write(&self.directory.join("checkpoints"), self.trainer.config(), layout, &saved, false)?;
        Ok(())
    }
}

/// Histograms of every parameter, and of the recurrent state of the first environments.
fn histograms(trainer: &Trainer) -> Vec<(String, Histogram)> {
    let learner = trainer.learner();
    let mut histograms = Vec::new();
    for (name, _, range) in learner.layout().entries() {
        histograms.extend(Histogram::of(&learner.values()[range]).map(|h| (format!("parameters/{name}"), h)));
    }
    if let Some(worker) = trainer.workers().first() {
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

/// Markdown that shows `text` as it is.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
