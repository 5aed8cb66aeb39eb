//! What computes the network of a supervised task in place of the CPU.

use super::{EnergySteps, Kept, ParameterDevice, Sequences};
use crate::Result;

/// Reads answers `[count, O]`, and writes the gradient of a loss in them over them.
pub type AnswerLoss<'l> = dyn FnMut(&mut [f32]) + 'l;

/// A device that runs sequences through a trunk and a linear readout.
pub trait ReadoutDevice: ParameterDevice {
    /// The gradient of a loss of the last `count` answers, rows of `[L, B]`, in all parameters. It stays there.
    ///
    /// # Errors
    /// Fails if the device does.
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        count: usize,
        parameters: &Kept,
        loss: &mut AnswerLoss<'_>,
    ) -> Result<Kept>;

    /// The last `count` answers, and the energy where it is asked for.
    ///
    /// # Errors
    /// Fails if the device does.
    fn answers(
        &self,
        sequences: &Sequences<'_>,
        count: usize,
        parameters: &Kept,
        energy: Option<&EnergySteps>,
    ) -> Result<Answers>;
}

/// What sequences gave.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// `[count, O]`
    pub answers: Vec<f32>,
    /// Sum over measured steps and sequences of the energy of all units, and the number of these steps.
    pub energy: (f64, u64),
}
