//! Where the energy of units is measured.

use crate::runner::int;
use crate::{Error, Real, Result};

/// At which steps energy is measured, in which environments.
#[derive(Clone, Copy, Debug)]
pub struct EnergyOf<'a, T> {
    /// The first step.
    pub first: usize,
    /// From step to step.
    pub every: usize,
    /// The first so many environments.
    pub batch: usize,
    /// `[I]`, 0 for inputs that are left out.
    pub mask: Option<&'a [T]>,
}

impl<T> EnergyOf<'_, T> {
    /// Steps of a rollout or a sequence at which it is measured.
    pub fn samples(&self, steps: usize) -> usize {
        steps.saturating_sub(self.first).div_ceil(self.every)
    }

    /// Refuses a mask that does not fit so many inputs, and environments or steps that there are not.
    pub(crate) fn check(&self, input: usize, batch: usize) -> Result<()> {
        let mask = self.mask.map_or(input, <[T]>::len);
        if mask != input {
            return Err(Error::Length { what: "energy mask", expected: input, got: mask });
        }
        if self.every == 0 || self.batch > batch {
            return Err(Error::Energy { problem: "there are no such steps or environments".to_string() });
        }
        Ok(())
    }

    /// The same for a sequence, of which something must be measured.
    pub(crate) fn check_sequence(&self, input: usize, steps: usize, batch: usize) -> Result<()> {
        self.check(input, batch)?;
        if self.batch == 0 || self.samples(steps) == 0 {
            return Err(Error::Energy { problem: "no step or no environment is measured".to_string() });
        }
        Ok(())
    }

    /// Elements `[samples, B', H]` of what is measured of so many steps of so many units.
    pub(crate) fn len(&self, steps: usize, hidden: usize) -> usize {
        self.samples(steps) * self.batch * hidden
    }
}

/// `EnergyOperands` of `kernels/energy_operands.cuh`, field by field; addresses on the device, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnergyOperands {
    first: i32,
    every: i32,
    batch: i32,
    mask: u64,
    energy: u64,
}

impl EnergyOperands {
    /// Of energy that goes to `energy`, with the address of the mask.
    pub fn new<T: Real>(of: &EnergyOf<'_, T>, mask: u64, energy: u64) -> Self {
        Self { first: int(of.first), every: int(of.every), batch: int(of.batch), mask, energy }
    }

    /// Where none is measured.
    pub fn none() -> Self {
        Self { first: 0, every: 1, batch: 0, mask: 0, energy: 0 }
    }
}
