//! A policy over sequences on a device: forward to the outputs of its heads, and back from their gradient.

use stpn_cuda::cuda::Buffer;
use stpn_cuda::{EnergyOf, Extent, OutputGradients, Outputs};

use super::network::{Branch, DeviceNetwork};
use super::parameters::{BranchParameters, DeviceParameters};
use super::trunk::{TrunkInputs, TrunkPass};
use crate::policy::accelerator::Sequences;
use crate::policy::heads::Heads;
use crate::policy::training::free_gradient;
use crate::{Error, Result};

/// What a network reads that is on the device.
pub(super) struct NetworkInputs {
    extent: Extent,
    x: Buffer<f32>,
    resets: Buffer<u8>,
}

impl NetworkInputs {
    /// Brings sequences there.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: &DeviceNetwork, sequences: &Sequences<'_>) -> Result<Self> {
        Ok(Self {
            extent: Extent { steps: sequences.steps, batch: sequences.batch },
            x: network.upload(sequences.observations)?,
            resets: network.device.upload(sequences.episode_starts)?,
        })
    }

    /// Steps of all sequences.
    pub fn rows(&self) -> usize {
        self.extent.steps * self.extent.batch
    }

    fn of_trunk(&self) -> TrunkInputs<'_> {
        TrunkInputs { extent: self.extent, x: &self.x, resets: &self.resets }
    }
}

/// A forward pass, with what the backward pass needs.
pub(super) struct NetworkPass<'n> {
    network: &'n DeviceNetwork,
    parameters: &'n DeviceParameters,
    actor: BranchPass,
    critic: Option<(&'n Branch, &'n BranchParameters, BranchPass)>,
}

/// That of a trunk and its heads.
struct BranchPass {
    start: Buffer<f32>,
    trunk: TrunkPass,
    /// Of all its heads, `[N, width]`.
    outputs: Buffer<f32>,
}

impl BranchPass {
    fn new(
        network: &DeviceNetwork,
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        state: &[f32],
        tape: bool,
    ) -> Result<Self> {
        let start = network.upload_state(branch, state)?;
        let trunk = branch.trunk.forward(inputs.of_trunk(), &own.trunk, &start, tape)?;
        Self::with_heads(inputs, (branch, own), start, trunk)
    }

    /// Without a tape; also the energy where it is measured.
    fn measured(
        network: &DeviceNetwork,
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        state: &[f32],
        energy: &EnergyOf<'_, f32>,
    ) -> Result<(Self, Vec<f32>)> {
        let (start, of_trunk) = (network.upload_state(branch, state)?, inputs.of_trunk());
        let (trunk, energy) = branch.trunk.forward_measured(&network.device, of_trunk, &own.trunk, &start, energy)?;
        Ok((Self::with_heads(inputs, (branch, own), start, trunk)?, energy))
    }

    fn with_heads(
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        start: Buffer<f32>,
        trunk: TrunkPass,
    ) -> Result<Self> {
        let outputs = branch.heads.forward(inputs.rows(), &own.heads, trunk.hidden(inputs.of_trunk()))?;
        Ok(Self { start, trunk, outputs })
    }

    /// Puts the gradient of a branch's parameters into that of all, from that of the outputs.
    fn backward(
        &self,
        network: &DeviceNetwork,
        inputs: &NetworkInputs,
        (branch, own): (&Branch, &BranchParameters),
        grad_outputs: &Buffer<f32>,
        gradient: &mut Buffer<f32>,
    ) -> Result<()> {
        let (device, of_trunk) = (&network.device, inputs.of_trunk());
        let arrays = [&own.heads, self.trunk.hidden(of_trunk), &self.outputs, grad_outputs];
        let grad_hidden = branch.heads.backward(device, inputs.rows(), arrays, gradient)?;
        let passes = (&own.trunk, &self.start, &self.trunk);
        branch.trunk.backward(device, of_trunk, passes, grad_hidden, (gradient, branch.first))
    }
}

impl<'n> NetworkPass<'n> {
    /// Runs sequences from packed states `[B, S]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(
        network: &'n DeviceNetwork,
        inputs: &NetworkInputs,
        parameters: &'n DeviceParameters,
        state: &[f32],
    ) -> Result<Self> {
        let actor = BranchPass::new(network, inputs, (&network.actor, &parameters.actor), state, true)?;
        Self::with_critic(network, inputs, parameters, state, actor, true)
    }

    /// Runs sequences without what the backward pass needs; also the energy of every unit where it is measured.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn measured(
        network: &'n DeviceNetwork,
        inputs: &NetworkInputs,
        parameters: &'n DeviceParameters,
        state: &[f32],
        energy: Option<&EnergyOf<'_, f32>>,
    ) -> Result<(Self, Vec<f32>)> {
        let of_actor = (&network.actor, &parameters.actor);
        let (actor, energy) = match energy {
            Some(energy) => BranchPass::measured(network, inputs, of_actor, state, energy)?,
            None => (BranchPass::new(network, inputs, of_actor, state, false)?, Vec::new()),
        };
        Ok((Self::with_critic(network, inputs, parameters, state, actor, false)?, energy))
    }

    fn with_critic(
        network: &'n DeviceNetwork,
        inputs: &NetworkInputs,
        parameters: &'n DeviceParameters,
        state: &[f32],
        actor: BranchPass,
        tape: bool,
    ) -> Result<Self> {
        let run = |branch, own| BranchPass::new(network, inputs, (branch, own), state, tape);
        let critic = network.critic.as_ref().zip(parameters.critic.as_ref());
        let critic = critic.map(|(branch, own)| Ok::<_, Error>((branch, own, run(branch, own)?))).transpose()?;
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
        self.actor.backward(network, inputs, branch, &grads.policy, &mut gradient)?;
        if let (Some((branch, own, pass)), Some(grad)) = (&self.critic, &grads.values) {
            pass.backward(network, inputs, (branch, own), grad, &mut gradient)?;
        }
        if let Some(free) = &grads.free {
            network.device.put(free, &mut gradient, network.free.start)?;
        }
        Ok(gradient)
    }
}
