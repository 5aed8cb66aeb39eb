//! A policy on a CUDA device: gradients, with trunks and heads there and most losses on the CPU, and rollouts
//! of recurrent networks in mazes. **Untested on hardware.**
//!
//! Per gradient, parameters, observations, states and the gradients of the heads go to the device; outputs of the heads
//! and gradients of the parameters come back. All sums have a fixed order, so the same input gives the same bits.

mod cells;
mod feedforward;
mod heads;
mod obstacle;
mod rollouts;
mod trunk;

use std::ops::Range;

use stpn_cuda::Extent;
use stpn_cuda::cuda::{Device, General};

use super::accelerator::{Accelerator, Loss, Rollouts, Sequences};
use super::config::PolicyConfig;
use super::heads::Heads;
use super::trunk::Trunk;
use super::{ActorCritic, columns};
use crate::Result;
use heads::{DeviceHeads, HeadsPass};
use obstacle::obstacle;
use trunk::{DeviceTrunk, TrunkInputs, TrunkPass};

/// A policy on a device.
#[derive(Debug)]
pub(super) struct DeviceNetwork {
    device: Device,
    general: General<f32>,
    actor: Branch,
    critic: Option<Branch>,
    /// Scalars of recurrent state of an environment.
    state_len: usize,
    /// Parameters of an action distribution, and how many of them the policy's head puts out.
    distribution: [usize; 2],
    /// Where those parameters lie that no head puts out.
    free: Range<usize>,
    /// Factor on observations that go to the cells as they are.
    input_scale: f32,
    /// Why rollouts cannot be collected there.
    obstacle: Option<&'static str>,
}

/// A trunk with the heads that read it.
#[derive(Debug)]
struct Branch {
    trunk: DeviceTrunk,
    heads: DeviceHeads,
    /// Where the trunk's parameters lie among all.
    parameters: Range<usize>,
    /// Its columns of the packed states.
    state: Range<usize>,
}

/// What a branch's forward pass gives and leaves.
struct BranchPass {
    trunk: TrunkPass,
    heads: HeadsPass,
    /// Of all its heads, `[N, width]`.
    outputs: Vec<f32>,
    width: usize,
}

impl DeviceNetwork {
    /// `policy`, made from `config`, on the device of that number.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if CUDA has no kernels for a part of it; fails if the device cannot be used.
    pub fn new(policy: &ActorCritic, config: &PolicyConfig, index: usize) -> Result<Self> {
        let device = Device::open(index)?;
        let general = General::new(&device)?;
        let sections = &policy.sections;
        let of_policy = (sections.policy_head.clone(), policy.distribution.head_len());
        let of_values = (sections.value_head.clone(), 1);
        let (actor_state, critic_state) = policy.state_columns();
        let trunk = |trunk: &Trunk| DeviceTrunk::new(&general, trunk, &config.cell);
        let heads = |parts| DeviceHeads::new(&general, config.hidden, parts);
        let shared = policy.critic.is_none();
        let actor = Branch {
            trunk: trunk(&policy.actor)?,
            heads: heads(if shared { vec![of_policy, of_values.clone()] } else { vec![of_policy] })?,
            parameters: sections.actor.clone(),
            state: actor_state,
        };
        let critic = match &policy.critic {
            None => None,
            Some(critic) => Some(Branch {
                trunk: trunk(critic)?,
                heads: heads(vec![of_values])?,
                parameters: sections.critic.clone(),
                state: critic_state,
            }),
        };
        let input_scale = if policy.actor.encoder().is_identity() { policy.actor.input_scale() as f32 } else { 1.0 };
        let obstacle = obstacle(&actor.trunk, critic.is_some(), policy, input_scale);
        Ok(Self {
            device,
            general,
            actor,
            critic,
            obstacle,
            state_len: policy.state_len(),
            distribution: [policy.distribution.len(), policy.distribution.head_len()],
            free: sections.free.clone(),
            input_scale,
        })
    }
}

impl Accelerator for DeviceNetwork {
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        parameters: &[f32],
        gradient: &mut [f32],
        loss: &mut Loss<'_>,
    ) -> Result<()> {
        let (device, rows) = (&self.device, sequences.steps * sequences.batch);
        let [len, head_len] = self.distribution;
        let scaled = (self.input_scale != 1.0)
            .then(|| sequences.numbers.iter().map(|number| number * self.input_scale).collect::<Vec<f32>>());
        let inputs = TrunkInputs {
            extent: Extent { steps: sequences.steps, batch: sequences.batch },
            x: &device.upload(scaled.as_deref().unwrap_or(sequences.numbers))?,
            resets: &device.upload(sequences.episode_starts)?,
        };
        let run = |branch: &Branch| -> Result<BranchPass> {
            let state = columns(sequences.state, self.state_len, &branch.state);
            let trunk = branch.trunk.forward(device, inputs, &parameters[branch.parameters.clone()], &state)?;
            let (outputs, heads) = branch.heads.forward(device, rows, trunk.hidden(inputs), parameters)?;
            Ok(BranchPass { trunk, heads, width: outputs.len() / rows, outputs })
        };
        let actor = run(&self.actor)?;
        let critic = self.critic.as_ref().map(run).transpose()?;

        // Outputs of the policy's head are the first of a row, the value is the last of its own.
        let zeros = || Heads { distributions: vec![0.0; rows * len], values: vec![0.0; rows] };
        let (mut outputs, mut grads) = (zeros(), zeros());
        let free = &parameters[self.free.clone()];
        let of_actor = actor.outputs.chunks_exact(actor.width);
        for (to, from) in outputs.distributions.chunks_exact_mut(len).zip(of_actor) {
            to[..head_len].copy_from_slice(&from[..head_len]);
            to[head_len..].copy_from_slice(free);
        }
        let valuing = critic.as_ref().unwrap_or(&actor);
        for (to, from) in outputs.values.iter_mut().zip(valuing.outputs.chunks_exact(valuing.width)) {
            *to = from[valuing.width - 1];
        }
        loss(&outputs, &mut grads);

        let mut grad_outputs = vec![0.0; rows * actor.width];
        for (n, to) in grad_outputs.chunks_exact_mut(actor.width).enumerate() {
            to[..head_len].copy_from_slice(&grads.distributions[n * len..][..head_len]);
            if critic.is_none() {
                to[head_len] = grads.values[n];
            }
        }
        let mut back = |branch: &Branch, pass: &BranchPass, grad_outputs: &[f32]| -> Result<()> {
            let hidden = pass.trunk.hidden(inputs);
            let grad_hidden = branch.heads.backward(device, rows, hidden, &pass.heads, (grad_outputs, gradient))?;
            let of_trunk = &mut gradient[branch.parameters.clone()];
            branch.trunk.backward(device, inputs, &pass.trunk, grad_hidden, of_trunk)
        };
        back(&self.actor, &actor, &grad_outputs)?;
        if let (Some(branch), Some(critic)) = (&self.critic, &critic) {
            back(branch, critic, &grads.values)?;
        }
        Ok(())
    }

    fn rollouts(&self) -> std::result::Result<&dyn Rollouts, String> {
        match self.obstacle {
            None => Ok(self),
            Some(obstacle) => Err(obstacle.to_string()),
        }
    }
}
