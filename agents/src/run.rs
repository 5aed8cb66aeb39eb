//! A run directory: a training with its metrics, TensorBoard events and checkpoints.

pub mod changes;
mod directory;
mod logs;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stpn_random::{Purpose, Stream};

use changes::CONFIG;
pub use changes::Change;
pub use directory::{Saved, holds_run, saved, saved_config};

use crate::checkpoint::{self, staging};
use crate::collective::{Collective, Local, agree, any};
use crate::config::RunConfig;
use crate::lock::{Owner, RunLock};
use crate::logging::LogState;
use crate::metrics::Metrics;
use crate::saved::SavedTrainer;
use crate::start::training_on;
use crate::stop::Stop;
use crate::supervised::test::Generalization;
use crate::supervised::{self, TestReport};
use crate::training::{Best, Training};
use crate::{Error, Result};
use directory::{
    lock_run, newest, not_saved, other_numerics, read_config, refuse_lost_checkpoints, refuse_used, same_checkpoint,
};
use logs::Logs;

/// A run in progress.
pub struct Run {
    directory: PathBuf,
    config: RunConfig,
    training: Box<dyn Training>,
    ranks: Arc<dyn Collective>,
    /// On the first rank alone.
    lock: Option<RunLock>,
    logs: Logs,
    checkpointed: Option<u64>,
    test_report: Option<TestReport>,
    reseeded: bool,
    edited: Option<PathBuf>,
    changes: Vec<Change>,
    stop: Stop,
}

/// Why training stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All updates are done.
    Finished,
    /// The observer or a [`Stop`] asked to stop.
    Interrupted,
}

impl Run {
    /// Starts a run in `directory`, which must not hold one; files that are none of a run's may be there.
    /// `command_line` is logged as text.
    ///
    /// # Errors
    /// [`Error::RunDirectory`] if the directory is in use, [`Error::Config`] on an impossible configuration.
    pub fn start(config: &RunConfig, directory: &Path, command_line: &str) -> Result<Self> {
        Self::start_on_ranks(config, directory, command_line, &(Arc::new(Local) as _))
    }

    /// [`Run::start`] with a training of your own, e.g. a [`Trainer`](crate::Trainer) in environments that no
    /// configuration names.
    ///
    /// # Errors
    /// As [`Run::start`], and where `make` fails.
    pub fn start_with(
        config: &RunConfig,
        directory: &Path,
        command_line: &str,
        make: impl FnOnce(&RunConfig) -> Result<Box<dyn Training>>,
    ) -> Result<Self> {
        Self::start_as(config, directory, command_line, make, Arc::new(Local))
    }

    /// [`Run::start`] on every rank of a job, on a file system that all share.
    ///
    /// # Errors
    /// As [`Run::start`], on every rank where it fails on one.
    pub fn start_on_ranks(
        config: &RunConfig,
        directory: &Path,
        command_line: &str,
        ranks: &Arc<dyn Collective>,
    ) -> Result<Self> {
        Self::start_as(config, directory, command_line, |config| training_on(config, ranks.clone()), ranks.clone())
    }

    fn start_as(
        config: &RunConfig,
        directory: &Path,
        command_line: &str,
        make: impl FnOnce(&RunConfig) -> Result<Box<dyn Training>>,
        ranks: Arc<dyn Collective>,
    ) -> Result<Self> {
        config.check()?;
        let lock = || {
            fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
            // Before the lock too, so that nothing is put into a directory that is not a run's.
            refuse_used(directory)?;
            let lock = RunLock::take(directory)?;
            refuse_used(directory)?;
            Ok(lock)
        };
        let lock = agree(ranks.as_ref(), ranks.is_root().then(lock).transpose())?;
        let training = agree(ranks.as_ref(), make(config))?;
        Self::begin(directory, config.clone(), training, lock, command_line, ranks)
    }

    /// Continues the run in `directory` from its newest sound checkpoint, or begins it again from its configuration
    /// where it has none yet; returns what was passed over as damaged. `change` may alter the configuration, e.g. the
    /// number of updates: [`Run::changes`] tells what it did.
    ///
    /// # Errors
    /// [`Error::Config`] if it alters what a run cannot change, [`Error::Checkpoint`] if there are
    /// checkpoints and none can be used, [`Error::RunDirectory`] if another
    /// process has the run or there is none.
    pub fn resume(directory: &Path, change: impl FnOnce(&mut RunConfig)) -> Result<(Self, Vec<Error>)> {
        Self::resume_on_ranks(directory, change, &(Arc::new(Local) as _))
    }

    /// [`Run::resume`] with a training of your own.
    ///
    /// # Errors
    /// As [`Run::resume`], and where `make` fails.
    pub fn resume_with(
        directory: &Path,
        change: impl FnOnce(&mut RunConfig),
        make: impl FnOnce(&RunConfig) -> Result<Box<dyn Training>>,
    ) -> Result<(Self, Vec<Error>)> {
        Self::resume_as(directory, change, make, Arc::new(Local))
    }

    /// [`Run::resume`] on every rank of a job. With as many ranks as the checkpoint was written by, training continues
    /// bit for bit; with another number the environments begin anew, from other seeds, as [`Run::reseeded`] says.
    ///
    /// # Errors
    /// As [`Run::resume`], on every rank where it fails on one.
    pub fn resume_on_ranks(
        directory: &Path,
        change: impl FnOnce(&mut RunConfig),
        ranks: &Arc<dyn Collective>,
    ) -> Result<(Self, Vec<Error>)> {
        Self::resume_as(directory, change, |config| training_on(config, ranks.clone()), ranks.clone())
    }

    fn resume_as(
        directory: &Path,
        change: impl FnOnce(&mut RunConfig),
        make: impl FnOnce(&RunConfig) -> Result<Box<dyn Training>>,
        ranks: Arc<dyn Collective>,
    ) -> Result<(Self, Vec<Error>)> {
        let checkpoints = directory.join("checkpoints");
        let lock = agree(ranks.as_ref(), ranks.is_root().then(|| lock_run(directory, &checkpoints)).transpose())?;
        let found = agree(ranks.as_ref(), ranks.is_root().then(|| newest(&checkpoints)).transpose())?;
        let (saved, damaged) = found.map_or((None, Vec::new()), |(saved, damaged)| (saved, damaged));
        let saved = agree(ranks.as_ref(), same_checkpoint(saved, &checkpoints, ranks.as_ref()))?;
        let Some(saved) = saved else {
            let mut config = read_config(&directory.join(CONFIG))?;
            agree(ranks.as_ref(), refuse_lost_checkpoints(directory, &config))?;
            change(&mut config);
            config.check()?;
            let training = agree(ranks.as_ref(), make(&config))?;
            let said = "resumed without a checkpoint";
            return Ok((Self::begin(directory, config, training, lock, said, ranks)?, Vec::new()));
        };
        let update = saved.progress.update;
        let recorded = agree(ranks.as_ref(), changes::recorded(directory, update))?;
        let before = recorded.unwrap_or_else(|| saved.config.clone());
        let mut config = before.clone();
        change(&mut config);
        config.check()?;
        let (made, all) = (changes::between(&before, &config)?, changes::between(&saved.config, &config)?);
        changes::check(&all)?;
        let reseeded = saved.shards() != ranks.size();
        let mut fresh = config.clone();
        if reseeded {
            // Not the seeds of the run's beginning: its first episodes are learned already.
            let seed = Stream::new(*config.seed(), Purpose::Reseeding, saved.progress.update).next_u64();
            *fresh.seed_mut() = seed >> 1;
        }
        let training = make(&fresh).and_then(|mut training| {
            let mut state = saved.trainer(training.layout())?;
            if reseeded {
                state.workers.clear();
            }
            if changes::unlike_evaluations(&all) {
                state.progress.best_return = None;
            }
            let log = std::mem::take(&mut state.log);
            training.restore(state)?;
            Ok((training, log))
        });
        let (training, log) = agree(ranks.as_ref(), training)?;
        let write = || {
            let edited = changes::keep_edited(directory, &before)?;
            if !made.is_empty() {
                changes::record(directory, update, &made, &config)?;
            }
            staging::replace(&directory.join(CONFIG), config.to_toml()?.as_bytes())?;
            Ok(edited)
        };
        let edited = agree(ranks.as_ref(), ranks.is_root().then(write).transpose())?.flatten();
        let [_, (_, step)] = training.counters();
        let mut run = Self::open(directory, config, training, lock, (log, Some(step)), ranks)?;
        // All since the checkpoint: what was logged after it has gone.
        let told: Vec<String> = all.iter().filter(|c| c.key != "training.threads").map(ToString::to_string).collect();
        if !told.is_empty() {
            run.logs.text(step, "changes", &format!("after update {update}:\n{}", told.join("\n")));
        }
        if let Some(said) =
            other_numerics(saved.numerics, run.config.numerics(), update).filter(|_| run.ranks.is_root())
        {
            tracing::warn!("{said}");
            run.logs.text(step, "numerics", &said);
        }
        run.checkpointed = Some(update);
        run.reseeded = reseeded;
        run.edited = edited;
        run.changes = all;
        Ok((run, damaged))
    }

    /// A run at its first step.
    fn begin(
        directory: &Path,
        config: RunConfig,
        training: Box<dyn Training>,
        lock: Option<RunLock>,
        command_line: &str,
        ranks: Arc<dyn Collective>,
    ) -> Result<Self> {
        let text = config.to_toml()?;
        let written = lock.is_some().then(|| staging::replace(&directory.join(CONFIG), text.as_bytes())).transpose();
        agree(ranks.as_ref(), written)?;
        let mut run = Self::open(directory, config, training, lock, (LogState::default(), None), ranks)?;
        run.logs.text(0, "command_line", command_line);
        run.logs.text(0, "config", &text);
        run.logs.hyperparameters(&run.config)?;
        Ok(run)
    }

    fn open(
        directory: &Path,
        config: RunConfig,
        training: Box<dyn Training>,
        lock: Option<RunLock>,
        (log, step): (LogState, Option<u64>),
        ranks: Arc<dyn Collective>,
    ) -> Result<Self> {
        let [(_, update), _] = training.counters();
        let logs = Logs::open(directory, log, update, step, lock.is_some());
        Ok(Self {
            directory: directory.to_path_buf(),
            lock,
            logs: agree(ranks.as_ref(), logs)?,
            config,
            training,
            ranks,
            checkpointed: None,
            test_report: None,
            reseeded: false,
            edited: None,
            changes: Vec::new(),
            stop: Stop::default(),
        })
    }

    /// Where a `config.toml` lies now that somebody had edited, which changes no run.
    pub fn edited(&self) -> Option<&Path> {
        self.edited.as_deref()
    }

    /// True if the environments began anew, since the run is resumed by another number of ranks.
    pub fn reseeded(&self) -> bool {
        self.reseeded
    }

    /// In what a resumed run's configuration differs from its checkpoint's.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What to do where an environment hangs: its thread cannot be stopped, so `end`, called from another thread
    /// with the error after the last good state was checkpointed, should end the process. Without this, a run waits.
    pub fn on_hang(&mut self, end: impl Fn(Error) + Send + Sync + 'static) {
        let (directory, config) = (self.directory.clone(), self.config.clone());
        let layout = self.training.layout().clone();
        // The other ranks cannot take part in a checkpoint: they wait for this one in the middle of an update.
        let alone = self.ranks.size() == 1;
        let log = self.logs.shared_state();
        self.training.on_hang(Arc::new(move |saved: &SavedTrainer, error: Error| {
            let checkpoints = directory.join("checkpoints");
            let there = !alone || checkpoints.join(checkpoint::directory_name(saved.progress.update)).exists();
            let saved = SavedTrainer { log: log(), ..saved.clone() };
            if !there && let Err(error) = checkpoint::write(&checkpoints, &config, &layout, &saved, false) {
                tracing::warn!("{}", not_saved(&directory, saved.progress.update, error));
            }
            end(error);
        }));
    }

    /// From now on `stop` ends [`Run::train`]: after the update under way, or in its middle where it is to be given up.
    pub fn stop_by(&mut self, stop: &Stop) {
        self.training.set_stop(stop);
        self.stop = stop.clone();
    }

    /// The process that had the run before and was killed, or crashed.
    pub fn killed(&self) -> Option<&Owner> {
        self.lock.as_ref()?.stale()
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

    /// [`Run::train`] with nobody watching: to the end, if no [`Stop`] asks for less.
    ///
    /// # Errors
    /// As [`Run::train`].
    pub fn finish(&mut self) -> Result<Outcome> {
        self.train(|_, _| ControlFlow::Continue(()))
    }

    /// Trains until nothing is left to do or `observe`, called after each update, breaks, or a [`Stop`] asks to. In any
    /// case the last state is checkpointed; of an update that is given up the one before it, to which training goes
    /// back.
    ///
    /// # Errors
    /// Fails if an environment does, numbers stop being finite or files cannot be written; the state before the
    /// failing update is then checkpointed, where that is possible.
    pub fn train(&mut self, mut observe: impl FnMut(&dyn Training, &Metrics) -> ControlFlow<()>) -> Result<Outcome> {
        // Before the first update too: it may take long.
        let mut stop = self.stop.asked();
        let mut outcome = Outcome::Finished;
        while !self.training.finished() {
            if any(self.ranks.as_ref(), stop) {
                outcome = Outcome::Interrupted;
                break;
            }
            let mut metrics = match self.training.update() {
                Ok(metrics) => metrics,
                Err(Error::Stopped) => {
                    self.keep_last_good(false)?;
                    self.training.restore(self.training.last_good())?;
                    self.logs.end(self.training.as_ref(), false);
                    return Ok(Outcome::Interrupted);
                }
                Err(error) => {
                    // The failure that matters is the update's.
                    if let Err(error) = self.keep_last_good(false) {
                        tracing::warn!("{error}");
                    }
                    self.logs.end(self.training.as_ref(), false);
                    return Err(error);
                }
            };
            self.logs.update(self.training.as_ref(), &self.config, &mut metrics);
            let due = self.training.progress().update.is_multiple_of(self.config.checkpoint().every);
            let best = self.training.note_best(due);
            if best == Some(Best::Before) {
                self.keep_last_good(true)?;
            }
            if due || best == Some(Best::Present) {
                self.checkpoint(best == Some(Best::Present))?;
            }
            stop = observe(self.training.as_ref(), &metrics).is_break() || self.stop.asked();
        }
        if self.checkpointed != Some(self.training.progress().update) {
            self.checkpoint(false)?;
        }
        self.logs.end(self.training.as_ref(), outcome == Outcome::Finished);
        match outcome {
            Outcome::Finished => match self.test() {
                Err(Error::Stopped) => Ok(Outcome::Interrupted),
                tested => tested.map(|()| outcome),
            },
            Outcome::Interrupted => Ok(outcome),
        }
    }

    /// What the best checkpoint of a finished run on a supervised task (the last one, where none was validated) gives on
    /// its test data; also in `test.json`.
    pub fn test_report(&self) -> Option<&TestReport> {
        self.test_report.as_ref()
    }

    fn test(&mut self) -> Result<()> {
        let RunConfig::Supervised(config) = &self.config else { return Ok(()) };
        let checkpoints = self.directory.join("checkpoints");
        let tested = match checkpoint::best(&checkpoints)? {
            Some(best) => best,
            // It ended before its first validation.
            None => checkpoint::newest(&checkpoints)?.0,
        };
        let report = supervised::test(config, &tested, None, &self.stop)?;
        let path = self.directory.join("test.json");
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Error::RunDirectory { path: path.clone(), problem: error.to_string() })?;
        staging::replace(&path, (text + "\n").as_bytes())?;
        let [_, (_, step)] = self.training.counters();
        self.logs.scalars(step, &report.scores.metrics("test"));
        for Generalization { interval, scores } in &report.generalization {
            self.logs.scalars(*interval as u64, &scores.metrics("generalization"));
        }
        self.test_report = Some(report);
        Ok(())
    }

    fn checkpoint(&mut self, best: bool) -> Result<()> {
        let saved = self.training.save()?;
        self.write(saved, best)
    }

    /// Checkpoints the state before the last update, or the one that failed, where that has not been done.
    fn keep_last_good(&mut self, best: bool) -> Result<()> {
        let saved = self.training.last_good();
        let update = saved.progress.update;
        match self.checkpointed == Some(update) {
            false => self.write(saved, best),
            true if best => {
                checkpoint::point_best(&self.directory.join("checkpoints"), &self.config, update, self.ranks.as_ref())
                    .map_err(|error| not_saved(&self.directory, update, error))
            }
            true => Ok(()),
        }
    }

    fn write(&mut self, mut saved: SavedTrainer, best: bool) -> Result<()> {
        // The logs first: a checkpoint ahead of them would leave a gap.
        self.logs.sync();
        let (checkpoints, update) = (self.directory.join("checkpoints"), saved.progress.update);
        saved.log = self.logs.state_after(update);
        let (layout, ranks) = (self.training.layout(), self.ranks.as_ref());
        checkpoint::write_on_ranks(&checkpoints, &self.config, layout, &saved, best, ranks)
            .map_err(|error| not_saved(&self.directory, update, error))?;
        self.checkpointed = Some(update);
        Ok(())
    }
}
