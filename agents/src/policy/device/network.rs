//! The layers of a policy on a device, and where their parameters lie.

use std::ops::Range;

use stpn_cuda::cuda::{Buffer, Device, General};

use super::heads::DeviceHeads;
use super::losses::distribution;
use super::obstacle::obstacle;
use super::parameters::{BranchParameters, DeviceParameters, FreeParameters};
use super::trunk::DeviceTrunk;
use crate::policy::ActorCritic;
use crate::policy::accelerator::Kept;
use crate::policy::columns;
use crate::policy::config::PolicyConfig;
use crate::policy::heads::Heads;
use crate::policy::trunk::Trunk;
use crate::{Error, Result};

/// A policy on a device.
#[derive(Debug)]
pub(in crate::policy) struct DeviceNetwork {
    pub(super) device: Device,
    pub(super) general: General<f32>,
    pub(super) actor: Branch,
    pub(super) critic: Option<Branch>,
    /// Scalars of recurrent state of an environment.
    pub(super) state_len: usize,
    /// Parameters of an action distribution, and how many of them the policy's head puts out.
    pub(super) distribution: [usize; 2],
    /// Where those parameters lie that no head puts out.
    pub(super) free: Range<usize>,
    /// Factor on observations that go to the cells as they are.
    pub(super) input_scale: f32,
    /// Number of all parameters.
    pub(super) parameters_len: usize,
    /// Units of the cell.
    pub(super) hidden: usize,
    /// The family of action distributions, as losses have it there.
    pub(super) actions: stpn_cuda::Distribution,
    /// Why rollouts cannot be collected there.
    pub(super) obstacle: Option<&'static str>,
}

/// A trunk with the heads that read it.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) trunk: DeviceTrunk,
    pub(super) heads: DeviceHeads,
    /// Number of the trunk's first parameter among all.
    pub(super) first: usize,
    /// Its columns of the packed states.
    pub(super) state: Range<usize>,
}

impl Branch {
    /// Its parameters, from all that are on the device.
    fn parameters(&self, device: &Device, all: &Buffer<f32>) -> Result<BranchParameters> {
        Ok(BranchParameters {
            trunk: self.trunk.parameters(device, all, self.first)?,
            heads: self.heads.parameters(device, all)?,
        })
    }
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
            first: sections.actor.start,
            state: actor_state,
        };
        let critic = match &policy.critic {
            None => None,
            Some(critic) => Some(Branch {
                trunk: trunk(critic)?,
                heads: heads(vec![of_values])?,
                first: sections.critic.start,
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
            parameters_len: policy.parameters().count(),
            hidden: config.hidden,
            actions: distribution(policy.distribution()),
        })
    }
}

impl DeviceNetwork {
    /// Parameters as the layers take them, from all that are on the device.
    pub(super) fn parameters(&self, all: &Buffer<f32>) -> Result<DeviceParameters> {
        let free = match self.free.is_empty() {
            true => None,
            false => {
                let there = self.device.part(all, self.free.clone())?;
                Some(FreeParameters { here: self.device.download(&there)?, there })
            }
        };
        Ok(DeviceParameters {
            actor: self.actor.parameters(&self.device, all)?,
            critic: self.critic.as_ref().map(|critic| critic.parameters(&self.device, all)).transpose()?,
            free,
        })
    }

    /// A branch's states `[B, S]` on the device, from those of all `[B, S]`; not read if it has none.
    pub(super) fn upload_state(&self, branch: &Branch, state: &[f32]) -> Result<Buffer<f32>> {
        Ok(match branch.state.is_empty() {
            true => self.device.zeros(0)?,
            false => self.device.upload(&columns(state, self.state_len, &branch.state))?,
        })
    }

    /// Brings the states of actor and critic `[B, S]` here, as those of all.
    pub(super) fn download_states(&self, states: [Option<&Buffer<f32>>; 2], all: &mut [f32]) -> Result<()> {
        for (branch, own) in [Some(&self.actor), self.critic.as_ref()].into_iter().zip(states) {
            let (Some(branch), Some(own)) = (branch.filter(|branch| !branch.state.is_empty()), own) else { continue };
            let own = self.device.download(own)?;
            for (row, own) in all.chunks_exact_mut(self.state_len).zip(own.chunks_exact(branch.state.len())) {
                row[branch.state.clone()].copy_from_slice(own);
            }
        }
        Ok(())
    }

    /// Outputs `[N, width]` of the actor's heads and of those that value, as distributions and values.
    pub(super) fn fill(
        &self,
        outputs: &mut Heads<f32>,
        free: Option<&FreeParameters>,
        [of_actor, of_values]: [&[f32]; 2],
    ) {
        let [len, head_len] = self.distribution;
        let free = free.map_or(&[][..], |free| &free.here);
        let rows = outputs.values.len();
        // Outputs of the policy's head are the first of a row, the value is the last of its own.
        let width = of_actor.len() / rows;
        for (to, from) in outputs.distributions.chunks_exact_mut(len).zip(of_actor.chunks_exact(width)) {
            to[..head_len].copy_from_slice(&from[..head_len]);
            to[head_len..].copy_from_slice(free);
        }
        let width = of_values.len() / rows;
        for (to, from) in outputs.values.iter_mut().zip(of_values.chunks_exact(width)) {
            *to = from[width - 1];
        }
    }
}

/// The parameters that are behind it.
pub(super) fn of_parameters(kept: &Kept) -> Result<&DeviceParameters> {
    kept.get().ok_or_else(elsewhere)
}

/// The gradient that is behind it.
pub(super) fn of_gradient(kept: &Kept) -> Result<&Buffer<f32>> {
    kept.get().ok_or_else(elsewhere)
}

/// The error of what is on another device.
pub(super) fn elsewhere() -> Error {
    Error::config("training.device", "what was computed is on another device")
}
