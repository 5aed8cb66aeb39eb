//! Advantages, as a device estimates them.

use super::kept::Kept;

/// What advantages are estimated from, beside values: T steps of B environments, `[T, B]` if not said otherwise.
#[derive(Clone, Debug, Default)]
pub struct RolloutSteps {
    /// γ
    pub gamma: f64,
    /// λ
    pub lambda: f64,
    /// Steps L of a training sequence.
    pub sequence_length: usize,
    /// Rewards, as the algorithm takes them.
    pub rewards: Vec<f32>,
    /// 1 if the task ended with this step.
    pub terminated: Vec<u8>,
    /// 1 if the episode was cut off after this step.
    pub truncated: Vec<u8>,
    /// Values of the final observations of such episodes.
    pub final_values: Vec<f32>,
    /// `[B]` values of what follows the last step.
    pub last_values: Vec<f32>,
}

/// Values of the observations acted on.
#[derive(Clone, Copy, Debug)]
pub enum Values<'v> {
    /// `[T, B]`, in memory.
    Here(&'v [f32]),
    /// Those of a rollout that was one training sequence and is on the device.
    There(&'v Kept),
}

/// Advantages and returns, here and on the device.
#[derive(Clone, Debug)]
pub struct KeptAdvantages {
    /// Those on the device, as training sequences `[L, S·B]`: all environments of the first of the S = ⌈T / L⌉
    /// segments, then those of the next one.
    pub kept: Kept,
    /// `[T, B]` how much better an action turned out than the value expected.
    pub advantages: Vec<f32>,
    /// `[T, B]` targets of the values.
    pub returns: Vec<f32>,
}

/// Advantages of sequences that lie on the device: some columns of [`KeptAdvantages::kept`], `[L, B]`.
#[derive(Clone, Copy, Debug)]
pub struct DeviceAdvantages<'a> {
    /// All.
    pub kept: &'a Kept,
    /// `[B]` the column of each sequence.
    pub columns: &'a [u32],
}
