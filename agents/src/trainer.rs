//! The training loop's body: collect a rollout, learn from it.

use std::collections::VecDeque;
use std::time::Instant;

use candle_core::{DType, Device};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use stpn_envs::{Env, Episode, VectorEnv};

use crate::algorithms::{AlgorithmConfig, a2c};
use crate::config::AgentConfig;
use crate::evaluation::energy_mask;
use crate::learner::Learner;
use crate::metrics::Metrics;
use crate::optimizer::Adam;
use crate::policy::ActorCritic;
use crate::rollout::worker::{EnergySampling, SavedWorker};
use crate::rollout::{Fragment, Worker};
use crate::{Error, Result};

/// Updates whose mean returns make up `charts/episodic_return_recent`.
const RECENT_UPDATES: usize = 50;

/// An agent under training, between two updates.
pub struct Trainer {
    config: AgentConfig,
    learner: Learner,
    workers: Vec<Worker>,
    progress: Progress,
    /// The workers as they were before the update that runs or ran last.
    before: Vec<SavedWorker>,
    progress_before: Progress,
}

/// How far a run has come. Saved in every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates done.
    pub update: u64,
    /// Environment steps taken, over all environments.
    pub env_steps: u64,
    /// Episodes finished.
    pub episodes: u64,
    /// Mean returns of the last updates in which an episode ended.
    pub recent_returns: VecDeque<f64>,
    /// Best mean of `recent_returns` at a checkpoint so far.
    pub best_return: Option<f64>,
    /// Best validation of a supervised task so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_validation: Option<Validation>,
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
    /// Mean return of the last 50 updates in which an episode ended.
    pub fn recent_return(&self) -> Option<f64> {
        let n = self.recent_returns.len();
        (n > 0).then(|| self.recent_returns.iter().sum::<f64>() / n as f64)
    }
}

/// Everything a trainer needs to continue bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedTrainer {
    /// Counters and best-so-far.
    pub progress: Progress,
    /// All parameters, flat.
    pub parameters: Vec<f32>,
    /// The optimiser.
    pub adam: Adam,
    /// Environments, random streams and recurrent states, one entry per worker.
    pub workers: Vec<SavedWorker>,
}

impl Trainer {
    /// A new agent in the configured environment.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that cannot be made.
    pub fn new(config: &AgentConfig) -> Result<Self> {
        let env = config.env.clone();
        Self::with_environments(config, &|_| env.make())
    }

    /// A new agent in environments of your own: `make(index)` is called once per environment and `config.env` ignored.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that cannot be made.
    pub fn with_environments(
        config: &AgentConfig,
        make: &(dyn Fn(usize) -> stpn_envs::Result<Box<dyn Env>> + Sync),
    ) -> Result<Self> {
        config.check()?;
        // Blocks run side by side, so products inside one run on one thread and never depend on how many there are.
        gemm::set_threading_threshold(usize::MAX);
        let AgentConfig { rollout, seed, .. } = config;
        let envs = VectorEnv::new(make, rollout.environments, rollout.group_size(), *seed)?;
        let (observations, actions) = (envs.observation_space().clone(), envs.action_space().clone());
        let policy = ActorCritic::new(&config.policy, &observations, &actions, *seed, DType::F32, &Device::Cpu)?;
        let energy = EnergySampling { input_mask: energy_mask(&config.log.energy_skip_inputs, observations.len())? };
        let workers = envs
            .into_groups()
            .into_iter()
            .map(|group| {
                let fragment = Fragment::new(
                    rollout.steps,
                    group.len(),
                    rollout.sequence_length(),
                    observations.len(),
                    policy.state_len(),
                    policy.distribution(),
                );
                Worker::new(group, fragment, *seed, policy.state_len())
            })
            .collect::<Result<Vec<_>>>()?;
        let mut trainer = Self {
            before: vec![SavedWorker::default(); workers.len()],
            learner: Learner::new(policy, &config.optimizer)?,
            workers,
            progress: Progress::default(),
            progress_before: Progress::default(),
            config: config.clone(),
        };
        // One worker measures energy for all: the mean over its environments estimates the mean over every one.
        if let Some(first) = trainer.workers.first_mut() {
            first.set_energy(Some(energy));
        }
        Ok(trainer)
    }

    /// The run's configuration.
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// How far the run has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// The workers, in the order of their environments.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// One update: a rollout of every environment, then learning from it.
    ///
    /// # Errors
    /// Fails where an environment does or numbers stop being finite; [`Trainer::last_good`] is then the state before
    /// this update.
    pub fn update(&mut self) -> Result<Metrics> {
        self.remember()?;
        let start = Instant::now();
        let policy = self.learner.policy().prepare()?;
        self.workers.par_iter_mut().try_for_each(|worker| worker.collect(&policy))?;
        let collected = Instant::now();

        let update = self.progress.update + 1;
        let learning_rate = self.config.optimizer.learning_rate.at(self.progress.env_steps);
        let mut metrics = self.rollout_metrics()?;
        metrics.set("charts/learning_rate", learning_rate);
        if update > self.config.training.warmup_updates {
            let losses = match &self.config.algorithm {
                AlgorithmConfig::A2c(config) => {
                    let (gradient, mut losses) = a2c::gradient(config, &self.learner, &self.workers)?;
                    losses.set("losses/grad_norm", self.learner.step(gradient, learning_rate, update)?);
                    losses
                }
            };
            metrics.extend(&losses);
        }
        self.count(&mut metrics);

        let (rollout, total) = ((collected - start).as_secs_f64(), start.elapsed().as_secs_f64());
        let steps = (self.config.rollout.environments * self.config.rollout.steps) as f64;
        metrics.set("charts/env_steps_per_second", steps / total);
        metrics.set("time/rollout_seconds", rollout);
        metrics.set("time/learn_seconds", total - rollout);
        Ok(metrics)
    }

    /// Keeps the state before an update, so that a failing one can be undone.
    fn remember(&mut self) -> Result<()> {
        self.progress_before.clone_from(&self.progress);
        self.workers.par_iter_mut().zip(&mut self.before).try_for_each(|(worker, saved)| worker.save(saved))
    }

    /// What the rollout says by itself; refuses one that is not finite.
    fn rollout_metrics(&self) -> Result<Metrics> {
        for worker in &self.workers {
            let fragment = worker.fragment();
            if let Some(n) = fragment.values.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite {
                    what: format!("the value estimate at rollout step {}", n / fragment.batch),
                    update: self.progress.update + 1,
                    remedy: "the recurrent state or a parameter overflowed: lower optimizer.learning_rate".into(),
                });
            }
        }
        let mut metrics = Metrics::default();
        let episodes: Vec<&Episode> = self.workers.iter().flat_map(|w| &w.fragment().episodes).collect();
        if !episodes.is_empty() {
            let n = episodes.len() as f64;
            metrics.set("charts/episodic_return", episodes.iter().map(|e| e.total_reward).sum::<f64>() / n);
            metrics.set("charts/episodic_length", episodes.iter().map(|e| e.length as f64).sum::<f64>() / n);
        }
        metrics.set("charts/episodes", episodes.len() as f64);
        let (energy, samples) = self.workers.iter().fold((0.0, 0), |(sum, n), worker| {
            let (energy, samples) = worker.fragment().energy;
            (sum + energy, n + samples)
        });
        if samples > 0 {
            metrics.set("charts/energy", energy / samples as f64);
        }
        Ok(metrics)
    }

    /// Moves the counters on.
    fn count(&mut self, metrics: &mut Metrics) {
        let progress = &mut self.progress;
        progress.update += 1;
        progress.env_steps += (self.config.rollout.environments * self.config.rollout.steps) as u64;
        progress.episodes += metrics.get("charts/episodes").unwrap_or(0.0) as u64;
        if let Some(mean) = metrics.get("charts/episodic_return") {
            progress.recent_returns.push_back(mean);
            if progress.recent_returns.len() > RECENT_UPDATES {
                progress.recent_returns.pop_front();
            }
        }
        if let Some(recent) = progress.recent_return() {
            metrics.set("charts/episodic_return_recent", recent);
        }
    }

    /// True, and remembered, where the recent return is the best at a checkpoint so far.
    pub fn note_best(&mut self) -> bool {
        let recent = self.progress.recent_return();
        let better = recent.is_some_and(|recent| self.progress.best_return.is_none_or(|best| recent > best));
        if better {
            self.progress.best_return = recent;
        }
        better
    }

    /// Everything needed to continue from here.
    ///
    /// # Errors
    /// Fails where an environment cannot be saved.
    pub fn save(&mut self) -> Result<SavedTrainer> {
        let mut workers = vec![SavedWorker::default(); self.workers.len()];
        self.workers.par_iter_mut().zip(&mut workers).try_for_each(|(worker, saved)| worker.save(saved))?;
        Ok(self.saved(self.progress.clone(), workers))
    }

    /// Everything needed to continue from before the update that failed.
    pub fn last_good(&self) -> SavedTrainer {
        self.saved(self.progress_before.clone(), self.before.clone())
    }

    fn saved(&self, progress: Progress, workers: Vec<SavedWorker>) -> SavedTrainer {
        let parameters = self.learner.values().to_vec();
        SavedTrainer { progress, parameters, adam: self.learner.adam().clone(), workers }
    }

    /// Continues from a saved state of the same configuration.
    ///
    /// # Errors
    /// Fails, naming what differs, where the state is of another configuration.
    pub fn restore(&mut self, saved: SavedTrainer) -> Result<()> {
        if saved.workers.len() != self.workers.len() {
            let problem = format!("{} saved workers where {} are needed", saved.workers.len(), self.workers.len());
            return Err(Error::config("checkpoint", problem));
        }
        self.learner.restore(saved.parameters, saved.adam)?;
        self.workers.iter_mut().zip(&saved.workers).try_for_each(|(worker, saved)| worker.restore(saved))?;
        self.progress = saved.progress;
        Ok(())
    }
}
