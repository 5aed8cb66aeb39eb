//! A run directory: a training with its metrics, TensorBoard events and checkpoints.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::checkpoint;
use crate::config::RunConfig;
use crate::logging::{EventLog, MetricsLog};
use crate::metrics::Metrics;
use crate::supervised::test::Generalization;
use crate::supervised::{self, TestReport};
use crate::training::{Training, training};
use crate::{Error, Result};

/// A run in progress.
pub struct Run {
    directory: PathBuf,
    config: RunConfig,
    training: Box<dyn Training>,
    metrics: MetricsLog,
    events: EventLog,
    checkpointed: Option<u64>,
    test_report: Option<TestReport>,
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
        let training = training(config)?;
        let path = directory.join("config.toml");
        let text = config.to_toml()?;
        fs::write(&path, &text).map_err(Error::io("cannot write", &path))?;
        let mut run = Self::open(directory, config.clone(), training)?;
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
        let mut training = training(&config)?;
        let state = saved.trainer(training.layout())?;
        training.restore(state)?;
        let path = directory.join("config.toml");
        fs::write(&path, config.to_toml()?).map_err(Error::io("cannot write", &path))?;
        let mut run = Self::open(directory, config, training)?;
        run.checkpointed = Some(saved.progress.update);
        Ok((run, damaged))
    }

    fn open(directory: &Path, config: RunConfig, training: Box<dyn Training>) -> Result<Self> {
        let [(_, update), (_, step)] = training.counters();
        Ok(Self {
            directory: directory.to_path_buf(),
            metrics: MetricsLog::open(&directory.join("metrics.jsonl"), update)?,
            events: EventLog::open(directory, step)?,
            config,
            training,
            checkpointed: None,
            test_report: None,
            started: Instant::now(),
        })
    }

    /// The run's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The run's configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// What is trained.
    pub fn training(&self) -> &dyn Training {
        self.training.as_ref()
    }

    /// Trains until nothing is left to do or `observe`, called after each update, breaks. Either way the last state is
    /// checkpointed.
    ///
    /// # Errors
    /// Fails where an environment does, numbers stop being finite or files cannot be written; the state before the
    /// failing update is then checkpointed, where that is possible.
    pub fn train(&mut self, mut observe: impl FnMut(&dyn Training, &Metrics) -> ControlFlow<()>) -> Result<Outcome> {
        let mut outcome = Outcome::Finished;
        while !self.training.finished() {
            let mut metrics = match self.training.update() {
                Ok(metrics) => metrics,
                Err(error) => {
                    self.save_last_good()?;
                    return Err(error);
                }
            };
            metrics.set("time/elapsed_seconds", self.started.elapsed().as_secs_f64());
            self.log(&metrics)?;
            let due = self.training.progress().update.is_multiple_of(self.config.checkpoint().every);
            let best = self.training.note_best(due);
            if due || best {
                self.checkpoint(best)?;
            }
            if observe(self.training.as_ref(), &metrics).is_break() {
                outcome = Outcome::Interrupted;
                break;
            }
        }
        if self.checkpointed != Some(self.training.progress().update) {
            self.checkpoint(false)?;
        }
        if outcome == Outcome::Finished {
            self.test()?;
        }
        Ok(outcome)
    }

    /// What the best checkpoint of a finished run on a supervised task (the last one, where none was validated) gives on
    /// its test data; also in `test.json`.
    pub fn test_report(&self) -> Option<&TestReport> {
        self.test_report.as_ref()
    }

    fn test(&mut self) -> Result<()> {
        let RunConfig::Supervised(config) = &self.config else { return Ok(()) };
        let checkpoints = self.directory.join("checkpoints");
        let best = match checkpoint::best(&checkpoints)? {
            Some(best) => best,
            None => checkpoint::newest(&checkpoints)?.0,
        };
        let report = supervised::test(config, &best, None)?;
        let path = self.directory.join("test.json");
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Error::RunDirectory { path: path.clone(), problem: error.to_string() })?;
        fs::write(&path, text + "\n").map_err(Error::io("cannot write", &path))?;
        let [_, (_, step)] = self.training.counters();
        self.events.scalars(step, &report.scores.metrics("test"));
        for Generalization { interval, scores } in &report.generalization {
            self.events.scalars(*interval as u64, &scores.metrics("generalization"));
        }
        self.test_report = Some(report);
        Ok(())
    }

    /// Writes an update's metrics, and histograms where they are due.
    fn log(&mut self, metrics: &Metrics) -> Result<()> {
        let counters = self.training.counters();
        let [(_, update), (_, step)] = counters;
        let config = self.config.log();
        if update.is_multiple_of(config.every) {
            self.metrics.write(&counters, metrics)?;
            self.events.scalars(step, metrics);
        }
        if update.is_multiple_of(config.histograms_every) || update == 1 {
            self.events.histograms(step, &self.training.histograms());
        }
        Ok(())
    }

    fn checkpoint(&mut self, best: bool) -> Result<()> {
        let saved = self.training.save()?;
        checkpoint::write(&self.directory.join("checkpoints"), &self.config, self.training.layout(), &saved, best)?;
        self.checkpointed = Some(saved.progress.update);
        Ok(())
    }

    /// Checkpoints the state before the update that failed.
    fn save_last_good(&mut self) -> Result<()> {
        let saved = self.training.last_good();
        if self.checkpointed == Some(saved.progress.update) {
            return Ok(());
        }
        checkpoint::write(&self.directory.join("checkpoints"), &self.config, self.training.layout(), &saved, false)?;
        Ok(())
    }
}

/// Markdown that shows `text` as it is.
fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
