//! What computes in place of the CPU: gradients, steps of the optimiser, and the network's outputs in rollouts.

mod advantages;
mod kept;
mod loss;
mod readout;
mod rollouts;

use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::heads::Heads;
use crate::Result;
use crate::optimizer::{Adam, AdamConfig};
pub use advantages::{DeviceAdvantages, KeptAdvantages, RolloutSteps, Values};
pub use kept::Kept;
pub use loss::{DeviceBehaviour, DeviceLoss, DeviceObjective, DeviceSteps, Losses};
pub use readout::{AnswerLoss, Answers, ReadoutDevice};
pub use rollouts::{Collected, EnergySteps, Environments, Foreseen, Rollout, Rollouts};

/// Sequences as a device is given them; every slice is time-major.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// Steps L.
    pub steps: usize,
    /// Sequences B.
    pub batch: usize,
    /// Observations, `[L, B, O]`.
    pub observations: &'a Seen<'a>,
    /// `[L, B]` 1 if the state is zeroed before the step.
    pub episode_starts: &'a [u8],
    /// Recurrent states before the first step, `[B, S]`.
    pub state: &'a [f32],
}

/// Observations as a device is given them.
#[derive(Clone, Debug)]
pub enum Seen<'a> {
    /// Numbers.
    Numbers(Cow<'a, [f32]>),
    /// Bytes, which become numbers there: `byte · factor + summand`.
    Bytes {
        /// The bytes.
        bytes: &'a [u8],
        /// What they are multiplied by.
        factor: f32,
        /// What is added then.
        summand: f32,
    },
}

/// Reads the outputs of the heads, and fills in the gradient of a loss in them, which comes in as zeros.
pub type Loss<'l> = dyn FnMut(&Heads<f32>, &mut Heads<f32>) + 'l;

/// A device that holds the parameters of a network, and moves them.
pub trait ParameterDevice: Debug + Send + Sync {
    /// Brings packed parameters there.
    ///
    /// # Errors
    /// Fails if the device does.
    fn place(&self, parameters: &[f32]) -> Result<Kept>;

    /// A gradient that is there, packed like the parameters.
    ///
    /// # Errors
    /// Fails if the device does.
    fn read(&self, gradient: &Kept) -> Result<Vec<f32>>;

    /// The optimiser with the parameters that it moves, in pieces that cover all of them.
    ///
    /// # Errors
    /// Fails if the device does.
    fn optimizer(
        self: Arc<Self>,
        pieces: &[AdamPiece],
        parameters: &[f32],
        adam: &Adam,
    ) -> Result<Box<dyn DeviceOptimizer>>;
}

/// A device that runs a whole policy, forward and backward.
pub trait Accelerator: ParameterDevice {
    /// The gradient of a loss over sequences in all parameters. It stays there.
    ///
    /// # Errors
    /// Fails if the device does.
    fn differentiate(&self, sequences: &Sequences<'_>, parameters: &Kept, loss: &mut Loss<'_>) -> Result<Kept>;

    /// Runs sequences without a gradient, and measures energy where it is asked for.
    ///
    /// # Errors
    /// Fails if the device does.
    fn run(&self, sequences: &Sequences<'_>, parameters: &Kept, energy: Option<&EnergySteps>) -> Result<Ran>;

    /// Generalised advantages of all steps of a rollout. They stay there, and come back too.
    ///
    /// # Errors
    /// Fails if the device does.
    fn advantages(&self, values: Values<'_>, steps: &RolloutSteps) -> Result<KeptAdvantages>;

    /// [`Accelerator::differentiate`] with the loss of A2C, which is computed there; also its sums.
    ///
    /// # Errors
    /// Fails if the device does, and for another loss.
    fn minimize(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        loss: &DeviceLoss,
        steps: (&DeviceSteps<'_>, DeviceAdvantages<'_>),
    ) -> Result<(Kept, Losses)>;

    /// Brings all training sequences of a rollout there, with what PPO's loss reads of their steps beside advantages.
    /// Their order is that of [`KeptAdvantages::kept`].
    ///
    /// # Errors
    /// Fails if the device does.
    fn place_rollout(
        &self,
        sequences: &Sequences<'_>,
        steps: &DeviceSteps<'_>,
        acted: &DeviceBehaviour<'_>,
    ) -> Result<Kept>;

    /// The gradient of PPO's loss over a part of such a rollout with advantages: the sequences of these columns, as far
    /// as their first so many steps; those beyond have no loss. It stays there. Also the sums of the loss.
    ///
    /// # Errors
    /// Fails if the device does, and for another loss.
    fn minimize_part(
        &self,
        rollout: &Kept,
        part: (DeviceAdvantages<'_>, usize),
        parameters: &Kept,
        loss: &DeviceLoss,
    ) -> Result<(Kept, Losses)>;

    /// The network in `batch` environments, its recurrent states zero.
    ///
    /// # Errors
    /// Fails if the device does.
    fn stepper<'s>(&'s self, parameters: &'s Kept, batch: usize) -> Result<Box<dyn DeviceStepper + 's>>;

    /// What collects rollouts of this policy on the device.
    ///
    /// # Errors
    /// In words, why nothing does.
    fn rollouts(&self) -> std::result::Result<&dyn Rollouts, String>;
}

/// What sequences gave.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Outputs of the heads.
    pub outputs: Heads<f32>,
    /// Recurrent states after the last step, `[B, S]`.
    pub state: Vec<f32>,
    /// Sum over measured steps and environments of the mean energy per unit, and their number.
    pub energy: (f64, u64),
}

/// A network on a device, one batch of observations after another. Its recurrent states stay there.
pub trait DeviceStepper: Send {
    /// Takes over packed recurrent states `[B, S]`.
    ///
    /// # Errors
    /// Fails if the device does.
    fn load(&mut self, state: &[f32]) -> Result<()>;

    /// Writes them out.
    ///
    /// # Errors
    /// Fails if the device does.
    fn store(&mut self, state: &mut [f32]) -> Result<()>;

    /// Values `[B]` that a step from observations `[B, O]` would give; the states stay as they are.
    ///
    /// # Errors
    /// Fails if the device does.
    fn peek(&mut self, observations: &Seen<'_>, episode_starts: &[u8]) -> Result<Vec<f32>>;

    /// One step from observations `[B, O]`; environments with `episode_starts` `[B]` = 1 start from the zero state.
    /// With `energy`, that of every unit of the policy's trunk is written to it, `[B, H]`, without the inputs where the
    /// mask `[E]` is 0.
    ///
    /// # Errors
    /// Fails if the device does.
    fn step(
        &mut self,
        observations: &Seen<'_>,
        episode_starts: &[u8],
        outputs: &mut Heads<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> Result<()>;
}

/// Parameters that the optimiser moves in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamPiece {
    /// Where they lie.
    pub range: Range<usize>,
    /// Factor on the learning rate.
    pub factor: f64,
    /// They are put back between 0 and this after each step.
    pub limit: Option<f64>,
}

/// Adam on a device, with the parameters that it moves.
pub trait DeviceOptimizer: Debug + Send + Sync {
    /// The present parameters.
    fn parameters(&self) -> Kept;

    /// One step. Returns the norm of the gradient before it was clipped, and that of the parameters afterwards.
    ///
    /// # Errors
    /// Fails if the device does.
    fn step(&mut self, config: &AdamConfig, learning_rate: f64, gradient: GradientOf<'_>) -> Result<[f64; 2]>;

    /// The present parameters, packed, and the optimiser's state.
    ///
    /// # Errors
    /// Fails if the device does.
    fn read(&self) -> Result<(Vec<f32>, Adam)>;

    /// Takes over parameters and state.
    ///
    /// # Errors
    /// Fails if the device does.
    fn write(&mut self, parameters: &[f32], adam: &Adam) -> Result<()>;
}

/// A gradient of all parameters.
#[derive(Clone, Copy, Debug)]
pub enum GradientOf<'g> {
    /// Packed, in memory.
    Here(&'g [f32]),
    /// On the device.
    There(&'g Kept),
}
