//! Sections that every kind of run has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compute_device::ComputeDevice;
use crate::Result;
use crate::limits::at_least_one;

/// How long to train, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Updates of the run, warm-up included. An update of a supervised task is one epoch: one pass over its data.
    #[schemars(extend("x-cleanrl" = "num_iterations"))]
    pub updates: u64,
    /// First updates that collect experience but do not learn; agents only.
    pub warmup_updates: u64,
    /// End the run once the mean return of the episodes of the last 50 updates is at least this; not set = after all
    /// updates. Agents only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-sb3" = "reward_threshold"))]
    pub target_return: Option<f64>,
    /// Worker threads; 0 = one per core. The result does not depend on it.
    pub threads: usize,
    /// Which device computes the network, its gradient and the optimiser: `"cpu"`, `"cuda"`, or `"cuda:1"` for the
    /// second one. It also plays mazes and some other environments, if the policy allows it (see the page
    /// "Training on a GPU"). `"cuda"` is untested on hardware, and not in every build.
    #[schemars(extend("x-sb3" = "device"))]
    pub device: ComputeDevice,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self { updates: 1000, warmup_updates: 0, target_return: None, threads: 0, device: ComputeDevice::Cpu }
    }
}

/// When checkpoints are written and which are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Updates between checkpoints; the last update always writes one.
    pub every: u64,
    /// How many of the newest to keep, beside the best.
    pub keep: usize,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self { every: 100, keep: 3 }
    }
}

/// What is logged how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Updates between entries of `metrics.jsonl` and TensorBoard: each covers all updates since the one before, every
    /// episode counting the same. Evaluations are written when they are made.
    pub every: u64,
    /// Updates between histograms of parameters and fast weights.
    pub histograms_every: u64,
    /// Inputs of the recurrent layer, counted from 0, that are left out of the energy; the maze presets leave out the
    /// last reward, 12.
    pub energy_skip_inputs: Vec<usize>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { every: 1, histograms_every: 50, energy_skip_inputs: Vec::new() }
    }
}

/// Refuses impossible values in the sections that every run has.
pub(crate) fn check_sections(
    training: &TrainingConfig,
    hidden: usize,
    checkpoint: &CheckpointConfig,
    log: &LogConfig,
) -> Result<()> {
    at_least_one(&[
        ("training.updates", training.updates),
        ("policy.hidden", hidden as u64),
        ("checkpoint.every", checkpoint.every),
        ("checkpoint.keep", checkpoint.keep as u64),
        ("log.every", log.every),
        ("log.histograms_every", log.histograms_every),
    ])
}

/// The seed if nothing is said.
pub(crate) fn one() -> u64 {
    1
}

/// Units of the recurrent layer if nothing is said.
pub(crate) fn hidden() -> usize {
    64
}
