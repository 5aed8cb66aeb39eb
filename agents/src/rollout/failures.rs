//! Environments that fail in a rollout: replaced or not, counted, and watched for hanging.

use std::sync::Arc;

use stpn_envs::EnvGroup;
use stpn_envs::vector::{Heartbeat, Maker, OnFailure};

use super::{Watchdog, Worker};
use crate::Result;
use crate::config::{EnvFailure, RolloutConfig};
use crate::metrics::{Metrics, Over};
use crate::saved::SavedTrainer;
use crate::training::OnHang;

/// What a trainer does about environments that fail.
pub struct FailureWatch {
    policy: EnvFailure,
    max_replacements: u64,
    watchdog: Option<Watchdog>,
    on_hang: Option<OnHang>,
}

impl FailureWatch {
    /// As configured, over these groups.
    pub fn new(config: &RolloutConfig, groups: &[EnvGroup]) -> Self {
        let heartbeats: Vec<Arc<Heartbeat>> = groups.iter().map(EnvGroup::heartbeat).collect();
        Self {
            policy: config.env_failure,
            max_replacements: config.max_replacements,
            watchdog: config.step_timeout().map(|timeout| Watchdog::new(heartbeats, timeout)),
            on_hang: None,
        }
    }

    /// What a group does, which makes new environments with `make`.
    pub fn policy(&self, make: &Maker) -> OnFailure {
        match self.policy {
            EnvFailure::Stop => OnFailure::Stop,
            EnvFailure::Replace => OnFailure::Replace { make: Arc::clone(make), cap: self.max_replacements },
        }
    }

    /// Whom to call where an environment hangs; nobody is watched for before.
    pub fn on_hang(&mut self, on_hang: OnHang) {
        self.on_hang = Some(on_hang);
    }

    /// Runs `rollout`; where an environment hangs in it, the state `before` is handed to whoever is to be called.
    pub fn guard<T>(&self, rollout: impl FnOnce() -> T, before: &SavedTrainer) -> T {
        match (&self.watchdog, &self.on_hang) {
            (Some(watchdog), Some(on_hang)) => watchdog.guard(rollout, |error| on_hang(before, error)),
            _ => rollout(),
        }
    }

    /// Warns of the environments that were replaced in a rollout, and counts all of them.
    ///
    /// # Errors
    /// The last failure, where the run has had more than it may.
    pub fn note(&self, workers: &mut [Worker], metrics: &mut Metrics) -> Result<()> {
        if self.policy == EnvFailure::Stop {
            return Ok(());
        }
        let mut last = None;
        for failure in workers.iter_mut().flat_map(Worker::drain_failures) {
            tracing::warn!("{failure}; it was replaced and its episode cut off");
            last = Some(failure);
        }
        let replaced: u64 = workers.iter().map(|worker| worker.group().replacements()).sum();
        metrics.set_over("charts/env_replacements", replaced as f64, Over::Last);
        match last {
            Some(mut failure) if replaced > self.max_replacements => {
                if let stpn_envs::Error::Worker { problem, .. } = &mut failure {
                    let cap = self.max_replacements;
                    problem
                        .push_str(&format!("; {replaced} were replaced, more than rollout.max_replacements = {cap}"));
                }
                Err(failure.into())
            }
            _ => Ok(()),
        }
    }
}
