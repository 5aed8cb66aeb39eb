//! The training loop's body: collect a rollout, learn from it.

mod memory;
mod rollout_metrics;
mod saving;
mod training;

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device};
use rayon::prelude::*;
use stpn_envs::vector::Maker;
use stpn_envs::{Env, VectorEnv};

use crate::actor::Subject;
use crate::advantage::estimator::Estimator;
use crate::algorithms::{AlgorithmConfig, Experience, Moment, PpoState, a2c, ppo};
use crate::collective::{Collective, Exchange, Local, agree};
use crate::config::AgentConfig;
use crate::evaluation::energy_mask;
use crate::evaluator::{Evaluator, MEAN_RETURN};
use crate::learner::{LOWER_RATE, Learner};
use crate::metrics::{Metrics, Over};
use crate::optimizer::Clock;
use crate::policy::ActorCritic;
use crate::policy::accelerator::Kept;
use crate::rollout::on_device::Wanted;
use crate::rollout::worker::{EnergySampling, SavedWorker};
use crate::rollout::{
    Estimates, FailureWatch, Fragment, GrowthWatch, Normalization, Worker, ahead, on_device, together,
};
use crate::saved::{Progress, SavedTrainer};
use crate::statistics::Moments;
use crate::stop::Stop;
use crate::training::{Best, OnHang};
use crate::{Error, Result, process};

/// From update to update of which the observations that a device saw are compared.
const WATCHED_EVERY: u64 = 100;

/// An agent under training, between two updates.
pub struct Trainer {
    config: AgentConfig,
    learner: Learner,
    workers: Vec<Worker>,
    failures: FailureWatch,
    growth: GrowthWatch,
    progress: Progress,
    /// Where there are evaluations.
    evaluator: Option<Evaluator>,
    /// Mean return of the evaluation beside the last update, where one was due.
    evaluated: Option<f64>,
    /// The processes that train this agent together.
    exchange: Exchange,
    /// Everything as it was before the update that runs or ran last.
    before: SavedTrainer,
    /// Why no device collects the rollouts; nothing if it does.
    rollouts_here: Option<String>,
    /// A rollout that a device collected was compared in this process.
    watched: bool,
}

impl Trainer {
    /// A new agent in the configured environment.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that cannot be made.
    pub fn new(config: &AgentConfig) -> Result<Self> {
        Self::on_ranks(config, Arc::new(Local))
    }

    /// One rank's part of a new agent in the configured environment: `config.rollout.environments` are its own.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that cannot be made.
    pub fn on_ranks(config: &AgentConfig, collective: Arc<dyn Collective>) -> Result<Self> {
        let env = config.env.clone();
        Self::build(config, move |_| env.make(), collective)
    }

    /// A new agent in environments of your own: `make(index)` is called once per environment, and again for
    /// evaluations; `config.env` is ignored.
    ///
    /// # Errors
    /// Fails on an impossible configuration or an environment that cannot be made.
    pub fn with_environments(
        config: &AgentConfig,
        make: impl Fn(usize) -> stpn_envs::Result<Box<dyn Env>> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::build(config, make, Arc::new(Local))
    }

    fn build(
        config: &AgentConfig,
        make: impl Fn(usize) -> stpn_envs::Result<Box<dyn Env>> + Send + Sync + 'static,
        collective: Arc<dyn Collective>,
    ) -> Result<Self> {
        config.check()?;
        memory::check(config, &make)?;
        let AgentConfig { rollout, seed, .. } = config;
        let envs = VectorEnv::part(
            &make,
            collective.rank() * rollout.environments,
            rollout.environments,
            rollout.group_size(),
            *seed,
        )?;
        let (observations, actions) = (envs.observation_space().clone(), envs.action_space().clone());
        let policy = ActorCritic::new(&config.policy, &observations, &actions, *seed, DType::F32, &Device::Cpu)?;
        config.algorithm.check_distribution(policy.distribution())?;
        process::warn_of_split_products(policy.is_fused());
        config.check_spaces(&observations, &actions)?;
        let input_mask = energy_mask(&config.log.energy_skip_inputs, policy.cell().input_size())?;
        let policy = policy.on(config.training.device, &config.policy)?;
        let failures = FailureWatch::new(rollout, envs.groups());
        let make: Maker = Arc::new(make);
        let workers = envs
            .into_groups()
            .into_iter()
            .map(|mut group| {
                group.set_on_failure(failures.policy(&make));
                group.set_call_limit(rollout.step_timeout());
                let (steps, length) = (rollout.steps, rollout.sequence_length());
                let fragment = Fragment::new(steps, group.len(), length, &observations, &policy);
                let mut worker = Worker::new(group, fragment, *seed)?;
                worker.set_noise_correlation(rollout.noise_correlation);
                Ok(worker)
            })
            .collect::<Result<Vec<_>>>()?;
        let progress = Progress {
            normalization: Normalization::new(&config.normalization, &observations)?,
            ppo: match &config.algorithm {
                AlgorithmConfig::Ppo(config) => Some(PpoState::new(config, *seed)),
                _ => None,
            },
            ..Progress::default()
        };
        let mut trainer = Self {
            rollouts_here: on_device::obstacle(&workers, &policy, &progress.normalization),
            before: SavedTrainer { workers: vec![SavedWorker::default(); workers.len()], ..SavedTrainer::default() },
            learner: Learner::new(policy, &config.optimizer)?,
            workers,
            progress,
            evaluator: (config.evaluation.every > 0).then(|| Evaluator::new(config, make)).transpose()?,
            evaluated: None,
            watched: false,
            exchange: Exchange::new(collective, rollout.canonical_sums),
            failures,
            growth: GrowthWatch::default(),
            config: config.clone(),
        };
        // One worker measures energy for all: the mean over its environments estimates the mean over every one.
        if let Some(first) = trainer.workers.first_mut().filter(|_| trainer.exchange.collective().is_root()) {
            first.set_energy(Some(EnergySampling { input_mask }));
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

    /// Why rollouts run on the CPU, in words; nothing if a device collects them.
    pub fn rollouts_here(&self) -> Option<&str> {
        self.rollouts_here.as_deref()
    }

    /// The learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// The workers, in the order of their environments.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// One update: a rollout of every environment, then learning from it. Beside it, where an evaluation is due, that
    /// of the policy before this update, which collects the rollout.
    ///
    /// # Errors
    /// Fails if an environment does or numbers stop being finite, and with [`Error::Stopped`] if the update is to
    /// be given up; [`Trainer::last_good`] is then the state before it.
    pub fn update(&mut self) -> Result<Metrics> {
        self.remember()?;
        let due = self.config.evaluation.is_due(self.progress.update + 1);
        // Taken out for the update's time, so that each has what it works on to itself.
        let Some(mut evaluator) = self.evaluator.take_if(|_| due) else { return self.advance_or_undo() };
        let loaded = evaluator.load(&self.before);
        // On the pool's threads like everything else: with one of them, the evaluation is done after the update.
        let (metrics, evaluation) =
            rayon::join(|| self.advance_or_undo(), || loaded.and_then(|()| evaluator.evaluate()));
        self.evaluator = Some(evaluator);
        let mut metrics = metrics?;
        let evaluation = agree(self.exchange.collective(), evaluation)?;
        self.evaluated = evaluation.get(MEAN_RETURN);
        metrics.extend(&evaluation);
        Ok(metrics)
    }

    /// The update itself. If it fails, a device gets back the parameters from before it: it may have taken a step
    /// before the step was refused.
    fn advance_or_undo(&mut self) -> Result<Metrics> {
        let metrics = self.advance();
        if metrics.is_err() && self.learner.policy().is_accelerated() {
            let SavedTrainer { parameters, adam, .. } = &self.before;
            // A device that has failed fails again, which is known then.
            let _ = self.learner.restore(parameters.clone(), adam.clone());
        }
        metrics
    }

    /// The update itself.
    fn advance(&mut self) -> Result<Metrics> {
        let (start, exchanged) = (Instant::now(), self.exchange.collective().seconds());
        let (policy, normalization) = (self.learner.prepare()?, &self.progress.normalization);
        let workers = &mut self.workers;
        let subject = Subject { policy: &policy, normalization };
        let device = self.learner.policy().rollouts().ok().filter(|_| self.rollouts_here.is_none());
        let update = self.progress.update + 1;
        let wanted = Wanted {
            // A2C learns once from its rollout, under the parameters that collected it. Of several sequences, all but
            // the first would take memory from the next.
            keep: matches!(self.config.algorithm, AlgorithmConfig::A2c(_))
                && update > self.config.training.warmup_updates
                && self.config.rollout.sequence_length() == self.config.rollout.steps,
            watched: !self.watched || update.is_multiple_of(WATCHED_EVERY),
        };
        self.watched = true;
        let mut kept = None;
        let collect = || match (policy.parameters_there(), device) {
            (Some(parameters), Some(device)) => {
                kept = on_device::collect(workers, (device, parameters), subject, wanted)?;
                Ok(())
            }
            (Some(_), None) if ahead::applies(workers) => ahead::collect(workers, subject),
            (Some(_), None) => together::collect(workers, subject),
            (None, _) => workers.par_iter_mut().try_for_each(|worker| worker.collect(&policy, normalization)),
        };
        let lived = self.failures.guard(collect, &self.before);
        drop(policy);
        agree(self.exchange.collective(), lived.and_then(|()| self.check_finite()))?;
        let collected = Instant::now();
        self.growth.look(&self.workers, update);

        let at = Moment { update, clock: self.clock() };
        let learning_rate = self.config.optimizer.learning_rate.at(at.clock);
        let mut metrics = self.rollout_metrics();
        agree(self.exchange.collective(), self.failures.note(&mut self.workers, &mut metrics))?;
        metrics.set_over("charts/learning_rate", learning_rate, Over::Last);
        if self.progress.normalization.returns.is_some() {
            let gamma = self.config.algorithm.gamma();
            let moments: Vec<Moments> =
                self.workers.par_iter_mut().map(|worker| worker.discounted_returns(gamma)).collect();
            self.progress.normalization.merge_returns(&self.exchange.moments(&moments));
        }
        if at.update > self.config.training.warmup_updates {
            metrics.extend(&self.learn(learning_rate, at, kept)?);
            if self.learner.policy().is_accelerated() {
                agree(self.exchange.collective(), self.learner.synchronize())?;
            }
        }
        // Only now: what was learned from was seen with the old statistics.
        let elements = self.progress.normalization.observations.len();
        if elements > 0 {
            let moments: Vec<Moments> = self.workers.iter().flat_map(Worker::observation_moments).copied().collect();
            let moments = self.exchange.moments(&moments);
            self.progress.normalization.merge_observations(moments.chunks_exact(elements));
        }
        self.count(&mut metrics);
        let learned = Instant::now();

        let (rollout, total) = ((collected - start).as_secs_f64(), (learned - start).as_secs_f64());
        let steps = self.steps_per_update() as f64;
        // Weighed by time: of several updates it is all their steps through all their time.
        metrics.set_over("charts/SPS", steps / total, Over::Mean(total));
        metrics.set("time/rollout_seconds", rollout);
        metrics.set("time/learn_seconds", total - rollout);
        if self.exchange.size() > 1 {
            metrics.set("time/exchange_seconds", self.exchange.collective().seconds() - exchanged);
        }
        Ok(metrics)
    }

    /// Learns from the rollout, of which a device may have kept something.
    fn learn(&mut self, learning_rate: f64, at: Moment, kept: Option<Kept>) -> Result<Metrics> {
        let algorithm = &self.config.algorithm;
        let estimator = Estimator {
            normalization: &self.progress.normalization,
            clip_rewards: algorithm.clip_rewards(),
            discounts: (algorithm.gamma(), algorithm.gae_lambda()),
        };
        let fragments: Vec<&Fragment> = self.workers.iter().map(Worker::fragment).collect();
        let estimates: Vec<&Estimates> = fragments.iter().map(|fragment| &fragment.estimates).collect();
        let ranks = (self.learner.policy(), self.exchange.collective());
        let advantages = estimator.estimate(ranks, &fragments, &estimates, kept.as_ref())?;
        match algorithm {
            AlgorithmConfig::A2c(config) => {
                let seen = (&Experience { fragments, advantages: &advantages }, kept.as_ref());
                a2c::update(config, &mut self.learner, seen, &self.exchange, learning_rate, at)
            }
            AlgorithmConfig::Ppo(config) => {
                let state = self.progress.ppo.get_or_insert_with(|| PpoState::new(config, self.config.seed));
                let (learner, workers) = (&mut self.learner, &mut self.workers[..]);
                let seen = (&advantages, &estimator);
                ppo::update(config, state, learner, workers, seen, &self.exchange, (learning_rate, at))
            }
        }
    }

    /// How far the run has come and how far it goes, in environment steps over all ranks.
    fn clock(&self) -> Clock {
        let left = self.config.training.updates.saturating_sub(self.progress.update);
        let now = self.progress.env_steps;
        Clock { now, end: now.saturating_add(left.saturating_mul(self.steps_per_update())) }
    }

    /// Environment steps of an update, over all ranks.
    fn steps_per_update(&self) -> u64 {
        (self.exchange.size() * self.config.rollout.environments * self.config.rollout.steps) as u64
    }

    /// Refuses a rollout that is not finite.
    fn check_finite(&self) -> Result<()> {
        for worker in &self.workers {
            let fragment = worker.fragment();
            if let Some(n) = fragment.estimates.values.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite {
                    what: format!("the value estimate at rollout step {}", n / fragment.shape.batch),
                    update: self.progress.update + 1,
                    remedy: format!("the recurrent state or a parameter overflowed. {LOWER_RATE}"),
                });
            }
        }
        Ok(())
    }

    /// Which state is the best so far, remembered: the one before the last update, where the evaluation beside it was
    /// the best; without evaluations the present one, where its recent return is the best at a checkpoint that is
    /// `due`.
    pub fn note_best(&mut self, due: bool) -> Option<Best> {
        let (mean, best) = match &self.evaluator {
            None => (self.progress.recent_return().filter(|_| due), Best::Present),
            Some(_) => (self.evaluated, Best::Before),
        };
        mean.filter(|&mean| self.progress.best_return.is_none_or(|best| mean > best))?;
        self.progress.best_return = mean;
        Some(best)
    }

    /// From now on whatever takes long asks `stop` whether to go on.
    pub fn set_stop(&mut self, stop: &Stop) {
        self.workers.iter_mut().for_each(|worker| worker.set_stop(stop.clone()));
        self.evaluator.iter_mut().for_each(|evaluator| evaluator.set_stop(stop.clone()));
        self.exchange.set_stop(stop.clone());
    }

    /// Whom to call where an environment hangs.
    pub fn on_hang(&mut self, on_hang: OnHang) {
        self.failures.on_hang(on_hang);
    }
}
