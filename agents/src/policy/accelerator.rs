//! What computes gradients in place of the CPU.

use std::any::Any;
use std::fmt::Debug;

use stpn_envs::OnDevice;

use super::heads::Heads;
use crate::Result;

/// Sequences as a device is given them; every slice is time-major.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// Steps L.
    pub steps: usize,
    /// Sequences B.
    pub batch: usize,
    /// Observations as numbers, `[L, B, O]`.
    pub numbers: &'a [f32],
    /// `[L, B]` 1 if the state is zeroed before the step.
    pub episode_starts: &'a [u8],
    /// Recurrent states before the first step, `[B, S]`.
    pub state: &'a [f32],
}

/// Reads the outputs of the heads, and fills in the gradient of a loss in them, which comes in as zeros.
pub type Loss<'l> = dyn FnMut(&Heads<f32>, &mut Heads<f32>) + 'l;

/// A device that runs a whole policy over sequences, forward and backward.
pub trait Accelerator: Debug + Send + Sync {
    /// Runs sequences and writes the gradient of a loss in all parameters, packed like `parameters`.
    ///
    /// # Errors
    /// Fails if the device does.
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        parameters: &[f32],
        gradient: &mut [f32],
        loss: &mut Loss<'_>,
    ) -> Result<()>;

    /// What collects rollouts of this policy on the device.
    ///
    /// # Errors
    /// In words, why nothing does.
    fn rollouts(&self) -> std::result::Result<&dyn Rollouts, String> {
        Err("this device computes gradients alone".to_string())
    }
}

/// A device that collects rollouts by itself: environments, policy and choice of actions, step by step.
pub trait Rollouts: Debug + Send + Sync {
    /// Collects the steps of `rollout` under packed `parameters`. With `keep`, what [`Rollouts::a2c_gradient`] needs is left
    /// on the device.
    ///
    /// # Errors
    /// Fails if the device does.
    fn collect(&self, rollout: &Rollout, parameters: &[f32], keep: bool) -> Result<(Collected, Option<Kept>)>;

    /// Writes the gradient of A2C's loss over the steps of a rollout in all parameters, packed, without another forward
    /// pass: the parameters must be those that collected it. Returns the sums of the losses.
    ///
    /// # Errors
    /// Fails if the device does.
    fn a2c_gradient(&self, kept: &Kept, loss: &A2cLoss<'_>, gradient: &mut [f32]) -> Result<A2cSums>;
}

/// What a device has left of a rollout. Only the device that collected it can read it.
#[derive(Debug)]
pub struct Kept(Box<dyn Any + Send + Sync>);

impl Kept {
    /// Hides what a device keeps.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Box::new(kept))
    }

    /// What [`Kept::new`] hid, if it was of that type.
    pub fn get<K: Any>(&self) -> Option<&K> {
        self.0.downcast_ref()
    }
}

/// −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)² over the steps of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct A2cLoss<'a> {
    /// c_v
    pub value: f64,
    /// c_e
    pub entropy: f64,
    /// c_c
    pub concentration: f64,
    /// Mean and inverse deviation by which advantages are standardised.
    pub standard: (f64, f64),
    /// Factor of the gradient.
    pub scale: f64,
    /// `[T, B]`
    pub advantages: &'a [f32],
    /// `[T, B]` targets of the values.
    pub returns: &'a [f32],
}

/// Sums over steps of the parts of the loss, without their coefficients.
#[derive(Clone, Copy, Debug, Default)]
pub struct A2cSums {
    /// −log π(a|s)·A
    pub policy: f64,
    /// (R − V)²
    pub value: f64,
    /// H(π)
    pub entropy: f64,
    /// Σ_a π(a)²
    pub concentration: f64,
}

/// T steps of B environments, which all have the same rules. An environment's steps lie one after another.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// T
    pub steps: usize,
    /// `[B]` before the first step.
    pub environments: Vec<OnDevice>,
    /// `[B, T]` uniform in [0, 1): what actions are drawn with.
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
    /// `[B, T]` choices.
    pub actions: Vec<u32>,
    /// `[B, T]` log-probabilities of the choices.
    pub log_probs: Vec<f32>,
    /// `[B, T]` raw rewards.
    pub rewards: Vec<f32>,
    /// `[B, T, P + 1]` outputs of the heads: parameters of the distributions that they were drawn from, then the values of
    /// the observations acted on.
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
