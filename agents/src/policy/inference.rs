//! The policy in rollouts: one step for a group of environments, in place, on slices, without a graph.

use std::sync::Arc;

use candle_core::DType;
use stpn_core::kernels::{Prepared, Stepper};

use super::ActorCritic;
use super::composed::ComposedStepper;
use super::linear::PreparedLinear;
use crate::Result;

/// A policy's present parameters, laid out for stepping and shared by all workers of a rollout.
pub struct PreparedPolicy<'p> {
    policy: &'p ActorCritic,
    cell: Option<Arc<dyn Prepared<f32>>>,
    policy_head: PreparedLinear,
    value_head: PreparedLinear,
}

impl ActorCritic {
    /// Lays out the present parameters for stepping.
    ///
    /// # Errors
    /// Fails where candle cannot copy the parameters out.
    pub fn prepare(&self) -> Result<PreparedPolicy<'_>> {
        let cell = match self.cell.fused() {
            Some(kernel) if self.cell.kernel() == stpn_core::Kernel::Auto && self.device.is_cpu() => {
                let packed = self.cell.parameters().packed()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                Some(stpn_core::kernels::SequenceKernel::<f32>::prepare(kernel.as_ref(), &packed))
            }
            _ => None,
        };
        let (policy_head, value_head) = (self.policy_head.prepare()?, self.value_head.prepare()?);
        Ok(PreparedPolicy { policy: self, cell, policy_head, value_head })
    }
}

impl PreparedPolicy<'_> {
    /// The policy behind it.
    pub fn policy(&self) -> &ActorCritic {
        self.policy
    }

    /// A session for `batch` environments, its recurrent state zero.
    ///
    /// # Errors
    /// Fails where candle cannot allocate.
    pub fn session(&self, batch: usize) -> Result<Session<'_>> {
        let stepper = match &self.cell {
            Some(cell) => CellStepper::Fused(Arc::clone(cell).stepper(batch)),
            None => CellStepper::Composed(ComposedStepper::new(self.policy.cell(), &self.policy.device, batch)?),
        };
        Ok(Session {
            prepared: self,
            stepper,
            hidden: vec![0.0; batch * self.policy.cell().hidden_size()],
            policy: vec![0.0; batch * self.policy_head.output()],
            values: vec![0.0; batch],
            energy: Vec::new(),
        })
    }
}

enum CellStepper<'p> {
    Fused(Box<dyn Stepper<f32>>),
    Composed(ComposedStepper<'p>),
}

/// A group's recurrent state under a prepared policy.
pub struct Session<'p> {
    prepared: &'p PreparedPolicy<'p>,
    stepper: CellStepper<'p>,
    hidden: Vec<f32>,
    policy: Vec<f32>,
    values: Vec<f32>,
    energy: Vec<f32>,
}

impl Session<'_> {
    /// Takes over packed recurrent states `[B, S]`.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn load(&mut self, state: &[f32]) -> Result<()> {
        match &mut self.stepper {
            CellStepper::Fused(stepper) => stepper.load(state),
            CellStepper::Composed(stepper) => stepper.load(state)?,
        }
        Ok(())
    }

    /// Writes the packed recurrent states `[B, S]` out; loading them elsewhere continues bit for bit.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn store(&mut self, state: &mut [f32]) -> Result<()> {
        match &mut self.stepper {
            CellStepper::Fused(stepper) => stepper.store(state),
            CellStepper::Composed(stepper) => stepper.store(state)?,
        }
        Ok(())
    }

    /// One step from observations `[B, O]`; elements with `episode_starts` = 1 start from the zero state.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn step(&mut self, observations: &[f32], episode_starts: &[u8]) -> Result<()> {
        self.advance(observations, episode_starts, None)
    }

    /// [`Session::step`] that also measures the energy of every unit at this step; `input_mask` `[O]` leaves inputs
    /// out of it where it is 0.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn step_with_energy(
        &mut self,
        observations: &[f32],
        episode_starts: &[u8],
        input_mask: Option<&[f32]>,
    ) -> Result<()> {
        self.advance(observations, episode_starts, Some(input_mask))
    }

    fn advance(&mut self, x: &[f32], resets: &[u8], energy: Option<Option<&[f32]>>) -> Result<()> {
        match &mut self.stepper {
            CellStepper::Fused(stepper) => {
                let measured = energy.map(|mask| {
                    stepper.mask_energy(mask);
                    self.energy.resize(self.values.len() * stepper.units(), 0.0);
                    &mut self.energy[..]
                });
                stepper.step(x, Some(resets), &mut self.hidden, measured);
            }
            CellStepper::Composed(stepper) => {
                let measured = energy.is_some().then_some(&mut self.energy);
                stepper.step(x, resets, &mut self.hidden, measured, energy.flatten())?;
            }
        }
        self.prepared.policy_head.forward(&self.hidden, &mut self.policy);
        self.prepared.value_head.forward(&self.hidden, &mut self.values);
        Ok(())
    }

    /// Action-distribution parameters of environment `index` after the last step, `[P]`.
    pub fn policy(&self, index: usize) -> &[f32] {
        let width = self.prepared.policy_head.output();
        &self.policy[index * width..(index + 1) * width]
    }

    /// Values after the last step, `[B]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Energy of every unit at the last [`Session::step_with_energy`], `[B, U]`.
    pub fn energy(&self) -> &[f32] {
        &self.energy
    }
}
