//! What collects rollouts in place of the CPU.

use std::fmt::Debug;

use stpn_envs::OnDevice;

use super::kept::Kept;
use super::loss::{DeviceLoss, Losses};
use crate::Result;

/// A device that collects rollouts by itself, step by step: environments, or what they are known to show, policy and
/// choice of actions.
pub trait Rollouts: Debug + Send + Sync {
    /// Collects the steps of `rollout` under `parameters`. With `keep`, what [`Rollouts::a2c_gradient`] needs is left
    /// on the device, unless the network has an encoder.
    ///
    /// # Errors
    /// Fails if the device does.
    fn collect(&self, rollout: &Rollout, parameters: &Kept, keep: bool) -> Result<(Collected, Option<Kept>)>;

    /// The gradient of A2C's loss over the steps of a rollout in all parameters, which stays on the device, without
    /// another forward pass: the parameters are those that collected it. Also the sums of the losses.
    ///
    /// # Errors
    /// Fails if the device does.
    fn a2c_gradient(&self, kept: &Kept, advantages: &Kept, loss: &DeviceLoss) -> Result<(Kept, Losses)>;
}

/// T steps of B environments, which all have the same rules. An environment's steps lie one after another. Observations
/// are the O numbers by which they enter the network.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// T
    pub steps: usize,
    /// The environments.
    pub environments: Environments,
    /// `[B, T, A]` uniform in [0, 1): what an action's A choices are drawn with.
    pub uniform: Vec<f64>,
    /// `[B, O]` to act on first.
    pub observations: Vec<f32>,
    /// `[B]` 1 if the first step is that of an episode.
    pub episode_starts: Vec<u8>,
    /// `[B, S]` recurrent states before the first step; empty if it is the first step of an episode everywhere.
    pub state: Vec<f32>,
    /// Whether all observations are wanted, to compare them with those of the environments here.
    pub watched: bool,
    /// Where energy is measured, if it is.
    pub energy: Option<EnergySteps>,
}

/// The environments of a rollout.
#[derive(Clone, Debug)]
pub enum Environments {
    /// Those that a device plays, `[B]` before the first step.
    Played(Vec<OnDevice>),
    /// Those of which it is told what they will show.
    Foreseen(Foreseen),
}

/// What B environments will show in T steps, whatever the actions are, but for the action before. Time-major.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// The first of the inputs that show the action before, one-hot, unless an episode has just begun.
    pub echo: usize,
    /// `[T, B, O]` after each step, if no other action than the first one is shown.
    pub observations: Vec<f32>,
    /// `[T, B]` 1 if that is the first observation of another episode.
    pub starts: Vec<u8>,
}

/// At which steps energy is measured, in which environments.
#[derive(Clone, Debug)]
pub struct EnergySteps {
    /// The first step.
    pub first: usize,
    /// From step to step.
    pub every: usize,
    /// The first so many environments.
    pub environments: usize,
    /// `[E]`, 0 for inputs of the recurrent layer that are left out.
    pub input_mask: Option<Vec<f32>>,
}

/// What was collected. An environment's steps lie one after another.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// `[B, T, A]` choices.
    pub actions: Vec<u32>,
    /// `[B, T]` log-probabilities of the actions.
    pub log_probs: Vec<f32>,
    /// `[B, T]` raw rewards; empty if the device does not know them.
    pub rewards: Vec<f32>,
    /// `[B, T, P + 1]` outputs of the heads: parameters of the distributions that they were drawn from, then the values
    /// of the observations acted on.
    pub outputs: Vec<f32>,
    /// `[T, B, O]` acted on, time-major, if they are wanted; else empty.
    pub observed: Vec<f32>,
    /// `[B, O]` after the last step.
    pub observations: Vec<f32>,
    /// `[B, S]` after the last step.
    pub state: Vec<f32>,
    /// Sum over measured steps and environments of the mean energy per unit, and their number.
    pub energy: (f64, u64),
}
