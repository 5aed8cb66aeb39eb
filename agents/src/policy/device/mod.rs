//! A policy on a CUDA device: its parameters and their optimiser, gradients, steps in environments on the CPU, and
//! whole rollouts of recurrent networks in mazes, games and environments that are foreseen. **Untested on hardware.**
//!
//! Parameters, their gradient and the moments of Adam stay there. Observations, states and what the rollout knows of
//! its steps go to the device, with PPO once for all epochs, and sums of the losses come back. Advantages are estimated
//! there, stay there, and also come back, for statistics. All sums have a fixed order, so the same input gives the same
//! bits.

mod advantages;
mod cells;
mod environments;
mod feedforward;
mod games;
mod heads;
mod losses;
mod mazes;
mod network;
mod obstacle;
mod optimizer;
mod parameters;
mod pass;
mod readout;
mod rollouts;
mod sequences;
mod stepper;
mod trunk;

use stpn_cuda::EnergyOf;
use stpn_cuda::cuda::{Buffer, Device, General, PpoBatch};

use super::accelerator::{
    Accelerator, DeviceAdvantages, DeviceBehaviour, DeviceLoss, DeviceStepper, DeviceSteps, EnergySteps, Kept,
    KeptAdvantages, Loss, Losses, Ran, RolloutSteps, Rollouts, Sequences, Values,
};
use super::heads::Heads;
use crate::Result;
use advantages::of_advantages;
pub(super) use network::DeviceNetwork;
use network::{elsewhere, of_parameters};
use optimizer::Layers;
use pass::NetworkPass;
pub(crate) use readout::DeviceReadout;
use sequences::{NetworkInputs, PlacedSequences};
use stepper::Stepper;

/// All sequences of a rollout, as PPO learns from them.
struct PlacedRollout {
    sequences: PlacedSequences,
    batch: PpoBatch<f32>,
}

impl Layers for DeviceNetwork {
    fn device(&self) -> &Device {
        &self.device
    }

    fn general(&self) -> &General<f32> {
        &self.general
    }

    fn divided(&self, all: &Buffer<f32>) -> Result<Kept> {
        Ok(Kept::new(self.parameters(all)?))
    }
}

impl Accelerator for DeviceNetwork {
    fn differentiate(&self, sequences: &Sequences<'_>, parameters: &Kept, loss: &mut Loss<'_>) -> Result<Kept> {
        let inputs = NetworkInputs::new(self, sequences)?;
        let pass = NetworkPass::new(self, &inputs, of_parameters(parameters)?)?;
        let rows = inputs.rows();
        let zeros = || Heads { distributions: vec![0.0; rows * self.distribution[0]], values: vec![0.0; rows] };
        let (mut outputs, mut grads) = (zeros(), zeros());
        pass.download(&mut outputs)?;
        loss(&outputs, &mut grads);
        Ok(Kept::new(pass.backward_from(&inputs, &grads)?))
    }

    fn run(&self, sequences: &Sequences<'_>, parameters: &Kept, energy: Option<&EnergySteps>) -> Result<Ran> {
        let measured = energy.map(|energy| EnergyOf {
            first: energy.first,
            every: energy.every,
            batch: energy.environments,
            mask: energy.input_mask.as_deref(),
        });
        // Not within a short sequence.
        let measured = measured.filter(|measured| measured.first < sequences.steps);
        let (inputs, parameters) = (NetworkInputs::new(self, sequences)?, of_parameters(parameters)?);
        let (pass, energy) = NetworkPass::measured(self, &inputs, parameters, measured.as_ref())?;
        let (rows, hidden) = (inputs.rows(), self.hidden);
        let mut ran = Ran {
            outputs: Heads { distributions: vec![0.0; rows * self.distribution[0]], values: vec![0.0; rows] },
            state: vec![0.0; sequences.state.len()],
            energy: (
                energy.iter().map(|&energy| f64::from(energy)).sum::<f64>() / hidden as f64,
                (energy.len() / hidden) as u64,
            ),
        };
        pass.download(&mut ran.outputs)?;
        pass.download_states(&mut ran.state)?;
        Ok(ran)
    }

    fn advantages(&self, values: Values<'_>, steps: &RolloutSteps) -> Result<KeptAdvantages> {
        advantages::generalized(self, values, steps)
    }

    fn minimize(
        &self,
        sequences: &Sequences<'_>,
        parameters: &Kept,
        loss: &DeviceLoss,
        (steps, DeviceAdvantages { kept, columns }): (&DeviceSteps<'_>, DeviceAdvantages<'_>),
    ) -> Result<(Kept, Losses)> {
        let columns = self.general.columns(columns, sequences.batch)?;
        let advantages = of_advantages(kept)?.part(&self.general, sequences.steps, &columns)?;
        let inputs = NetworkInputs::new(self, sequences)?;
        let pass = NetworkPass::new(self, &inputs, of_parameters(parameters)?)?;
        let (grads, sums) = losses::a2c(&self.general, &self.actions, pass.outputs(), loss, (steps, &advantages))?;
        Ok((Kept::new(pass.backward(&inputs, &grads)?), sums))
    }

    fn place_rollout(
        &self,
        sequences: &Sequences<'_>,
        steps: &DeviceSteps<'_>,
        acted: &DeviceBehaviour<'_>,
    ) -> Result<Kept> {
        Ok(Kept::new(PlacedRollout {
            sequences: PlacedSequences::new(self, sequences)?,
            batch: losses::ppo_batch(&self.general, &self.actions, [sequences.steps, sequences.batch], (steps, acted))?,
        }))
    }

    fn minimize_part(
        &self,
        rollout: &Kept,
        (DeviceAdvantages { kept, columns }, steps): (DeviceAdvantages<'_>, usize),
        parameters: &Kept,
        loss: &DeviceLoss,
    ) -> Result<(Kept, Losses)> {
        let PlacedRollout { sequences, batch } = rollout.get().ok_or_else(elsewhere)?;
        let columns = self.general.columns(columns, batch.extent().batch)?;
        let inputs = sequences.part(self, steps, &columns)?;
        let batch = batch.part(&self.general, steps, &columns)?;
        let advantages = of_advantages(kept)?.part(&self.general, steps, &columns)?;
        let pass = NetworkPass::new(self, &inputs, of_parameters(parameters)?)?;
        let (grads, sums) = losses::ppo(&self.general, pass.outputs(), loss, (&batch, &advantages))?;
        Ok((Kept::new(pass.backward(&inputs, &grads)?), sums))
    }

    fn stepper<'s>(&'s self, parameters: &'s Kept, batch: usize) -> Result<Box<dyn DeviceStepper + 's>> {
        Ok(Box::new(Stepper::new(self, of_parameters(parameters)?, batch)?))
    }

    fn rollouts(&self) -> std::result::Result<&dyn Rollouts, String> {
        match self.obstacle {
            None => Ok(self),
            Some(obstacle) => Err(obstacle.to_string()),
        }
    }
}
