//! Steps of a policy on a device, for environments on the CPU: one batch goes there, its outputs come back.

use stpn_cuda::cuda::Buffer;
use stpn_cuda::{EnergyOf, Extent};

use super::network::{Branch, DeviceNetwork};
use super::parameters::{BranchParameters, DeviceParameters};
use super::sequences;
use super::trunk::TrunkInputs;
use crate::Result;
use crate::policy::accelerator::{DeviceStepper, Seen};
use crate::policy::heads::Heads;

/// A policy in some environments.
pub(super) struct Stepper<'s> {
    network: &'s DeviceNetwork,
    parameters: &'s DeviceParameters,
    batch: usize,
    /// States of the actor's trunk `[B, S]`, and of the critic's own.
    actor: Buffer<f32>,
    critic: Option<Buffer<f32>>,
}

impl<'s> Stepper<'s> {
    /// One whose states are zero.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: &'s DeviceNetwork, parameters: &'s DeviceParameters, batch: usize) -> Result<Self> {
        let zeros = |branch: &Branch| network.device.zeros(batch * branch.state.len());
        let (actor, critic) = (zeros(&network.actor)?, network.critic.as_ref().map(zeros).transpose()?);
        Ok(Self { network, parameters, batch, actor, critic })
    }

    /// Outputs of a branch's heads, and the states after the step.
    fn advance(
        &self,
        branch: &Branch,
        own: &BranchParameters,
        inputs: TrunkInputs<'_>,
        start: &Buffer<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> Result<(Vec<f32>, Option<Buffer<f32>>)> {
        let device = &self.network.device;
        let pass = match energy {
            None => branch.trunk.forward(inputs, &own.trunk, start, false)?,
            Some((energy, mask)) => {
                let all = EnergyOf { first: 0, every: 1, batch: self.batch, mask };
                let (pass, measured) = branch.trunk.forward_measured(device, inputs, &own.trunk, start, &all)?;
                *energy = measured;
                pass
            }
        };
        let outputs = branch.heads.forward(self.batch, &own.heads, pass.hidden(inputs))?;
        Ok((device.download(&outputs)?, pass.into_end()))
    }

    /// One step of both branches: their outputs, and the states after it.
    fn run(
        &self,
        observations: &Seen<'_>,
        episode_starts: &[u8],
        outputs: &mut Heads<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> Result<[Option<Buffer<f32>>; 2]> {
        let (network, parameters) = (self.network, self.parameters);
        let inputs = TrunkInputs {
            extent: Extent { steps: 1, batch: self.batch },
            x: &sequences::upload(network, observations)?,
            resets: &network.device.upload(episode_starts)?,
        };
        let (of_actor, actor) = self.advance(&network.actor, &parameters.actor, inputs, &self.actor, energy)?;
        let critic = network.critic.as_ref().zip(parameters.critic.as_ref()).zip(self.critic.as_ref());
        let critic = critic.map(|((branch, own), start)| self.advance(branch, own, inputs, start, None)).transpose()?;
        let (of_values, critic) = critic.map_or((None, None), |(outputs, end)| (Some(outputs), end));
        network.fill(outputs, parameters.free.as_ref(), [&of_actor, of_values.as_ref().unwrap_or(&of_actor)]);
        Ok([actor, critic])
    }
}

impl DeviceStepper for Stepper<'_> {
    fn load(&mut self, state: &[f32]) -> Result<()> {
        let upload = |branch| self.network.upload_state(branch, state);
        self.actor = upload(&self.network.actor)?;
        self.critic = self.network.critic.as_ref().map(upload).transpose()?;
        Ok(())
    }

    fn store(&mut self, state: &mut [f32]) -> Result<()> {
        self.network.download_states([Some(&self.actor), self.critic.as_ref()], state)
    }

    fn peek(&mut self, observations: &Seen<'_>, episode_starts: &[u8]) -> Result<Vec<f32>> {
        let len = self.network.distribution[0];
        let mut outputs = Heads { distributions: vec![0.0; self.batch * len], values: vec![0.0; self.batch] };
        self.run(observations, episode_starts, &mut outputs, None)?;
        Ok(outputs.values)
    }

    fn step(
        &mut self,
        observations: &Seen<'_>,
        episode_starts: &[u8],
        outputs: &mut Heads<f32>,
        energy: Option<(&mut Vec<f32>, Option<&[f32]>)>,
    ) -> Result<()> {
        let [actor, critic] = self.run(observations, episode_starts, outputs, energy)?;
        if let Some(end) = actor {
            self.actor = end;
        }
        if critic.is_some() {
            self.critic = critic;
        }
        Ok(())
    }
}
