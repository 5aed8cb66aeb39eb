//! The optimiser on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use super::sequence::expect;
use crate::Result;
use crate::adam::{self, AdamSettings, AdamState};

/// Adam with its moments on a device.
#[derive(Debug)]
pub struct Adam<T> {
    general: General<T>,
    state: AdamState<Buffer<T>>,
    len: usize,
}

impl<T: CudaReal> Adam<T> {
    /// The state before the first step of `len` parameters.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn new(general: &General<T>, len: usize) -> Result<Self> {
        let zeros = || general.device().zeros(len);
        let state = AdamState { first_moment: zeros()?, second_moment: zeros()?, step: 0 };
        Ok(Self { general: general.clone(), state, len })
    }

    /// The state that was saved: both moments, and the steps taken.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length), [`Error::Device`](crate::Error::Device).
    pub fn restore(general: &General<T>, first_moment: &[T], second_moment: &[T], step: u64) -> Result<Self> {
        let len = first_moment.len();
        expect("second_moment", second_moment.len(), len)?;
        let device = general.device();
        let state = AdamState {
            first_moment: device.upload(first_moment)?,
            second_moment: device.upload(second_moment)?,
            step,
        };
        Ok(Self { general: general.clone(), state, len })
    }

    /// Running means of gradients and of their squares.
    pub fn moments(&self) -> [&Buffer<T>; 2] {
        [&self.state.first_moment, &self.state.second_moment]
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Changes the parameters by one step. Returns the norm that the gradients had before they were clipped, one value
    /// on the device, before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length), [`Error::Device`](crate::Error::Device).
    pub fn step(
        &mut self,
        settings: &AdamSettings,
        parameters: &mut Buffer<T>,
        gradients: &Buffer<T>,
    ) -> Result<Buffer<f64>> {
        expect("parameters", parameters.len(), self.len)?;
        expect("gradients", gradients.len(), self.len)?;
        adam::step(&self.general.runner(None), settings, &mut self.state, self.len, [&*parameters, gradients])
    }
}
