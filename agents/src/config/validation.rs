//! Impossible values of whole configurations, which are above all that they are made of.

use stpn_core::Kernel;
use stpn_envs::Space;

use super::cell::check_cell;
use super::sections::check_sections;
use super::{AgentConfig, ComputeDevice, SupervisedConfig, TrainingConfig};
use crate::limits::{at_least_one, check_sizes};
use crate::supervised::TaskConfig;
use crate::{Error, Result, unused};

impl AgentConfig {
    /// Refuses impossible values, naming the key.
    ///
    /// # Errors
    /// [`Error::Config`] with what is allowed.
    pub fn check(&self) -> Result<()> {
        at_least_one(&[
            ("rollout.environments", self.rollout.environments as u64),
            ("rollout.steps", self.rollout.steps as u64),
            ("rollout.sequence_length", self.rollout.sequence_length.unwrap_or(1) as u64),
            ("evaluation.episodes", self.evaluation.episodes as u64),
        ])?;
        check_sizes(&[
            ("rollout.environments", self.rollout.environments),
            ("rollout.steps", self.rollout.steps),
            ("evaluation.episodes", self.evaluation.episodes),
        ])?;
        self.policy.check()?;
        self.normalization.check()?;
        check_sections(&self.training, self.policy.hidden, &self.checkpoint, &self.log)?;
        if !(0.0..=1e6).contains(&self.rollout.step_timeout) {
            return Err(Error::config("rollout.step_timeout", "must be seconds from 0 (no limit) to 1000000"));
        }
        if !(0.0..1.0).contains(&self.rollout.noise_correlation) {
            return Err(Error::config("rollout.noise_correlation", "must be from 0 (independent draws) to below 1"));
        }
        if self.training.target_return.is_some_and(|target| !target.is_finite()) {
            return Err(Error::config("training.target_return", "must be finite; leave it out for none"));
        }
        self.env.validate()?;
        self.algorithm.check(self.rollout.environments * self.rollout.steps)?;
        self.optimizer.check()?;
        if self.training.device != ComputeDevice::Cpu && self.rollout.canonical_sums {
            let problem = "goes with the CPU alone: a device is given all sequences at once, which another number of \
                           processes divides differently. Leave it out, or set training.device to \"cpu\"";
            return Err(Error::config("rollout.canonical_sums", problem));
        }
        check_kernel(&self.training, self.policy.kernel)?;
        unused::check_agent(self)
    }

    /// Refuses options that do nothing with these observations and actions.
    ///
    /// # Errors
    /// [`Error::Unused`] naming the key, with the reason.
    pub fn check_spaces(&self, observations: &Space, actions: &Space) -> Result<()> {
        unused::check_spaces(self, observations, actions)
    }
}

/// Refuses operations of candle on a device.
fn check_kernel(training: &TrainingConfig, kernel: Kernel) -> Result<()> {
    if training.device == ComputeDevice::Cpu || kernel == Kernel::Auto {
        return Ok(());
    }
    let problem = "\"composed\" goes with the CPU alone: a device has kernels of its own. Set it to \"auto\", or \
                   training.device to \"cpu\"";
    Err(Error::config("policy.kernel", problem))
}

impl SupervisedConfig {
    /// Refuses impossible values, naming the key.
    ///
    /// # Errors
    /// [`Error::Config`] with what is allowed.
    pub fn check(&self) -> Result<()> {
        check_sections(&self.training, self.policy.hidden, &self.checkpoint, &self.log)?;
        if self.training.warmup_updates > 0 {
            return Err(Error::config("training.warmup_updates", "is for agents; a supervised task has no warm-up"));
        }
        if self.training.target_return.is_some() {
            let problem = "is for agents; a supervised task ends early with task.patience";
            return Err(Error::config("training.target_return", problem));
        }
        check_kernel(&self.training, self.policy.kernel)?;
        if let Some(patience) = self.task.patience() {
            at_least_one(&[("task.patience", patience)])?;
        }
        match &self.task {
            TaskConfig::Art(config) => config.check()?,
            TaskConfig::Familiarity(config) => config.check()?,
        }
        self.task.need().check()?;
        self.policy.encoder.check()?;
        check_cell(&self.policy.cell)?;
        self.optimizer.check()?;
        unused::check_supervised(self)
    }
}
