//! A policy over sequences on a device: forward to the outputs of its heads, and back from their gradient.

use stpn_cuda::cuda::Buffer;
use stpn_cuda::{EnergyOf, OutputGradients, Outputs};

use super::network::{Branch, DeviceNetwork};
use super::parameters::{BranchParameters, DeviceParameters};
use super::sequences::NetworkInputs;
use super::trunk::TrunkPass;
use crate::policy::heads::Heads;
use crate::policy::training::free_gradient;
use crate::{Error, Result};

/// A forward pass, with what the backward pass needs.
pub(super) struct NetworkPass<'n> {
    network: &'n DeviceNetwork,
    parameters: &'n DeviceParameters,
    actor: BranchPass,
    critic: Option<(&'n Branch, &'n BranchParameters, BranchPass)>,
}

/// That of a trunk and its heads.
struct BranchPass {
    trunk: TrunkPass,
    /// Of all its heads, `[N, width]`.
    outputs: Buffer<f32>,
}

impl BranchPass {
    fn new(
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        start: &Buffer<f32>,
        tape: bool,
    ) -> Result<Self> {
        let trunk = branch.trunk.forward(inputs.of_trunk(), &own.trunk, start, tape)?;
        Self::with_heads(inputs, (branch, own), trunk)
    }

    /// Without a tape; also the energy where it is measured.
    fn measured(
        network: &DeviceNetwork,
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        start: &Buffer<f32>,
        energy: &EnergyOf<'_, f32>,
    ) -> Result<(Self, Vec<f32>)> {
        let of_trunk = inputs.of_trunk();
        let (trunk, energy) = branch.trunk.forward_measured(&network.device, of_trunk, &own.trunk, start, energy)?;
        Ok((Self::with_heads(inputs, (branch, own), trunk)?, energy))
    }

    fn with_heads(
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        trunk: TrunkPass,
    ) -> Result<Self> {
        let outputs = branch.heads.forward(inputs.rows(), &own.heads, trunk.hidden(inputs.of_trunk()))?;
        Ok(Self { trunk, outputs })
    }

    /// Puts the gradient of a branch's parameters into that of all, from that of the outputs.
    fn backward(
        &self,
        network: &DeviceNetwork,
        (inputs, start): (&NetworkInputs, &Buffer<f32>),
        (branch, own): (&Branch, &BranchParameters),
        grad_outputs: &Buffer<f32>,
        gradient: &mut Buffer<f32>,
    ) -> Result<()> {
        let (device, of_trunk) = (&network.device, inputs.of_trunk());
        let arrays = [&own.heads, self.trunk.hidden(of_trunk), &self.outputs, grad_outputs];
        let grad_hidden = branch.heads.backward(device, inputs.rows(), arrays, gradient)?;
        let passes = (&own.trunk, start, &self.trunk);
        branch.trunk.backward(device, of_trunk, passes, grad_hidden, (gradient, branch.first))
    }
}

impl<'n> NetworkPass<'n> {
    /// Runs sequences.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: &'n DeviceNetwork, inputs: &NetworkInputs, parameters: &'n DeviceParameters) -> Result<Self> {
        let actor = BranchPass::new(inputs, (&network.actor, &parameters.actor), &inputs.actor, true)?;
        Self::with_critic(network, inputs, parameters, actor, true)
    }

    /// Runs sequences without what the backward pass needs; also the energy of every unit where it is measured.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn measured(
        network: &'n DeviceNetwork,
        inputs: &NetworkInputs,
        parameters: &'n DeviceParameters,
        energy: Option<&EnergyOf<'_, f32>>,
    ) -> Result<(Self, Vec<f32>)> {
        let (of_actor, start) = ((&network.actor, &parameters.actor), &inputs.actor);
        let (actor, energy) = match energy {
            Some(energy) => BranchPass::measured(network, inputs, of_actor, start, energy)?,
            None => (BranchPass::new(inputs, of_actor, start, false)?, Vec::new()),
        };
        Ok((Self::with_critic(network, inputs, parameters, actor, false)?, energy))
    }

    fn with_critic(
        network: &'n DeviceNetwork,
        inputs: &NetworkInputs,
        parameters: &'n DeviceParameters,
        actor: BranchPass,
        tape: bool,
    ) -> Result<Self> {
        let run = |of_critic, start| BranchPass::new(inputs, of_critic, start, tape);
        let critic = network.critic.as_ref().zip(parameters.critic.as_ref()).zip(inputs.critic.as_ref());
        let critic = critic.map(|((branch, own), start)| Ok::<_, Error>((branch, own, run((branch, own), start)?)));
        let critic = critic.transpose()?;
        Ok(Self { network, parameters, actor, critic })
    }

    /// Brings the states after the last step here, `[B, S]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn download_states(&self, states: &mut [f32]) -> Result<()> {
        let critic = self.critic.as_ref().and_then(|(.., pass)| pass.trunk.end());
        self.network.download_states([self.actor.trunk.end(), critic], states)
    }

    /// Outputs of the heads.
    pub fn outputs(&self) -> Outputs<'_, Buffer<f32>> {
        Outputs {
            policy: &self.actor.outputs,
            values: self.critic.as_ref().map(|(.., pass)| &pass.outputs),
            free: self.parameters.free.as_ref().map(|free| &free.there),
        }
    }

    /// Brings the outputs of all heads here.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn download(&self, outputs: &mut Heads<f32>) -> Result<()> {
        let device = &self.network.device;
        let of_actor = device.download(&self.actor.outputs)?;
        let of_values = self.critic.as_ref().map(|(.., pass)| device.download(&pass.outputs)).transpose()?;
        let free = self.parameters.free.as_ref();
        self.network.fill(outputs, free, [&of_actor, of_values.as_ref().unwrap_or(&of_actor)]);
        Ok(())
    }

    /// The gradient of all parameters, from that of what the heads put out.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward_from(&self, inputs: &NetworkInputs, grads: &Heads<f32>) -> Result<Buffer<f32>> {
        let (device, [len, head_len]) = (&self.network.device, self.network.distribution);
        let width = head_len + usize::from(self.critic.is_none());
        let mut of_actor = vec![0.0; inputs.rows() * width];
        for (n, to) in of_actor.chunks_exact_mut(width).enumerate() {
            to[..head_len].copy_from_slice(&grads.distributions[n * len..][..head_len]);
            if self.critic.is_none() {
                to[head_len] = grads.values[n];
            }
        }
        let mut free = vec![0.0; self.network.free.len()];
        free_gradient(&grads.distributions, len, &mut free);
        let grads = OutputGradients {
            policy: device.upload(&of_actor)?,
            values: self.critic.as_ref().map(|_| device.upload(&grads.values)).transpose()?,
            free: self.parameters.free.as_ref().map(|_| device.upload(&free)).transpose()?,
        };
        self.backward(inputs, &grads)
    }

    /// The same from that of [`NetworkPass::outputs`].
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(&self, inputs: &NetworkInputs, grads: &OutputGradients<Buffer<f32>>) -> Result<Buffer<f32>> {
        let (network, parameters) = (self.network, self.parameters);
        let mut gradient = network.device.zeros(network.parameters_len)?;
        let branch = (&network.actor, &parameters.actor);
        self.actor.backward(network, (inputs, &inputs.actor), branch, &grads.policy, &mut gradient)?;
        if let (Some((branch, own, pass)), Some(start), Some(grad)) = (&self.critic, &inputs.critic, &grads.values) {
            pass.backward(network, (inputs, start), (branch, own), grad, &mut gradient)?;
        }
        if let Some(free) = &grads.free {
            network.device.put(free, &mut gradient, network.free.start)?;
        }
        Ok(gradient)
    }
}
