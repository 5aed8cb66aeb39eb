//! The optimiser on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::adam::{self, AdamPiece, AdamSettings, AdamState};
use crate::lengths::expect;
use crate::{Error, Result};

/// Adam with its moments on a device, for parameters that lie in one array.
#[derive(Debug)]
pub struct Adam<T> {
    general: General<T>,
    state: AdamState<Buffer<T>>,
}

impl<T: CudaReal> Adam<T> {
    /// The state before the first step of `len` parameters.
    ///
    /// # Errors
    /// [`Error::Optimizer`] without parameters, [`Error::Device`].
    pub fn new(general: &General<T>, len: usize) -> Result<Self> {
        let zeros = || general.device().zeros(len);
        Self::of(general, [zeros()?, zeros()?], len, 0)
    }

    /// The state that was saved: both moments, and the steps taken.
    ///
    /// # Errors
    /// [`Error::Length`] if one moment is longer than the other, [`Error::Optimizer`] without parameters,
    /// [`Error::Device`].
    pub fn restore(general: &General<T>, first: &[T], second: &[T], step: u64) -> Result<Self> {
        expect("second moment", second.len(), first.len())?;
        let upload = |values: &[T]| general.device().upload(values);
        Self::of(general, [upload(first)?, upload(second)?], first.len(), step)
    }

    fn of(general: &General<T>, [first, second]: [Buffer<T>; 2], len: usize, step: u64) -> Result<Self> {
        if len == 0 {
            return Err(Error::Optimizer { problem: "there are no parameters".to_string() });
        }
        Ok(Self { general: general.clone(), state: AdamState { first, second, len, step } })
    }

    /// Running mean of gradients.
    pub fn first(&self) -> &Buffer<T> {
        &self.state.first
    }

    /// Running mean of their squares.
    pub fn second(&self) -> &Buffer<T> {
        &self.state.second
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Changes the parameters by one step, with a gradient that is clipped by its norm. Waits for it, and returns the
    /// norm that the gradient had before, and that of the parameters after the step. `pieces` cover the parameters one
    /// after another.
    ///
    /// # Errors
    /// [`Error::Optimizer`] for other pieces, [`Error::Length`] for arrays that do not fit, [`Error::Device`].
    pub fn step(
        &mut self,
        settings: &AdamSettings,
        pieces: &[AdamPiece],
        parameters: &mut Buffer<T>,
        gradient: &Buffer<T>,
    ) -> Result<[f64; 2]> {
        expect("parameters", parameters.len(), self.state.len)?;
        expect("gradient", gradient.len(), self.state.len)?;
        adam::check(pieces, self.state.len)?;
        let runner = self.general.runner(None);
        let norms = adam::step(&runner, settings, pieces, &mut self.state, [parameters, gradient])?;
        let norms = self.general.device().download(&norms)?;
        Ok([norms[0], norms[1]])
    }
}
