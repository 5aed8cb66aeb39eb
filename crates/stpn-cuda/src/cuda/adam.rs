//! The optimiser on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use super::sequence::expect;
use crate::Result;
use crate::adam::{self, AdamSettings, AdamState, Moments};

/// Adam with its moments on a device, for the parameters of some layers, each in an array of its own.
#[derive(Debug)]
pub struct Adam<T> {
    general: General<T>,
    state: AdamState<Buffer<T>>,
}

impl<T: CudaReal> Adam<T> {
    /// The state before the first step of arrays of that many parameters.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn new(general: &General<T>, lens: &[usize]) -> Result<Self> {
        let zeros = |len: usize| general.device().zeros(len);
        let moments = lens.iter().map(|len| Ok(Moments { first: zeros(*len)?, second: zeros(*len)?, len: *len }));
        Ok(Self { general: general.clone(), state: AdamState { moments: moments.collect::<Result<_>>()?, step: 0 } })
    }

    /// The state that was saved: both moments of each array, and the steps taken.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length), [`Error::Device`](crate::Error::Device).
    pub fn restore(general: &General<T>, moments: &[[Vec<T>; 2]], step: u64) -> Result<Self> {
        let moments = moments.iter().map(|[first, second]| {
            expect("second moment", second.len(), first.len())?;
            let upload = |values: &[T]| general.device().upload(values);
            Ok(Moments { first: upload(first)?, second: upload(second)?, len: first.len() })
        });
        Ok(Self { general: general.clone(), state: AdamState { moments: moments.collect::<Result<_>>()?, step } })
    }

    /// Running means of gradients and of their squares, of each array.
    pub fn moments(&self) -> Vec<[&Buffer<T>; 2]> {
        self.state.moments.iter().map(|moments| [&moments.first, &moments.second]).collect()
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Changes the parameters by one step, with gradients that are clipped by the norm of all of them together. Returns
    /// the norm that they had before, one value on the device, before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length), [`Error::Device`](crate::Error::Device).
    pub fn step(
        &mut self,
        settings: &AdamSettings,
        parameters: &mut [Buffer<T>],
        gradients: &[&Buffer<T>],
    ) -> Result<Buffer<f64>> {
        let moments = &self.state.moments;
        expect("arrays of parameters", parameters.len(), moments.len())?;
        expect("arrays of gradients", gradients.len(), moments.len())?;
        for (moments, (parameters, gradients)) in moments.iter().zip(parameters.iter().zip(gradients)) {
            expect("parameters", parameters.len(), moments.len)?;
            expect("gradients", gradients.len(), moments.len)?;
        }
        let arrays: Vec<[&Buffer<T>; 2]> = parameters.iter().zip(gradients).map(|(p, g)| [p, *g]).collect();
        adam::step(&self.general.runner(None), settings, &mut self.state, &arrays)
    }
}
