//! What computes gradients in place of the CPU.

use std::fmt::Debug;

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
}
