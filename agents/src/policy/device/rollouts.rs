//! Rollouts on a device: recurrent networks, perhaps behind dense layers, in mazes and games, and in environments of
//! which everything is known in advance but the action before.

use stpn_cuda::Extent;
use stpn_cuda::cuda::{Advantages, KeptRollout};
use stpn_cuda::rollout::{self, EncoderLayer, EnergyOf};

use super::environments::Staged;
use super::losses::{a2c_loss, a2c_sums, other_loss};
use super::network::{DeviceNetwork, elsewhere, of_parameters};
use crate::policy::accelerator::{Collected, DeviceLoss, DeviceObjective, Kept, Losses, Rollout, Rollouts};
use crate::{Error, Result};

impl Rollouts for DeviceNetwork {
    fn collect(&self, rollout: &Rollout, parameters: &Kept, keep: bool) -> Result<(Collected, Option<Kept>)> {
        let own = &of_parameters(parameters)?.actor;
        let (steps, batch) = (rollout.steps, rollout.episode_starts.len());
        let trunk = &self.actor.trunk;
        let layer = trunk.recurrent().zip(own.trunk.cell.as_ref()).zip(trunk.dense_layers());
        let Some(((layer, of_cell), encoder)) = layer else {
            return Err(Error::config("training.device", "this network has no rollouts on a device"));
        };
        let encoder = encoder.iter().zip(&own.trunk.feedforward);
        let encoder: Vec<_> =
            encoder.map(|(layer, parameters)| EncoderLayer { dense: *layer.layer(), parameters }).collect();
        let staged = Staged::new(&rollout.environments, steps, self.actions.single_choice())?;
        let environments = staged.environments();
        let choices = environments.choices();
        let energy = rollout.energy.as_ref().map(|energy| EnergyOf {
            first: energy.first,
            every: energy.every,
            batch: energy.environments,
            mask: energy.input_mask.as_deref(),
        });
        let rollout = rollout::Rollout {
            extent: Extent { steps, batch },
            environments,
            uniform: &rollout.uniform,
            parameters: of_cell,
            heads: &own.heads,
            encoder: &encoder,
            x: &rollout.observations,
            starts: &rollout.episode_starts,
            state: &rollout.state,
            watched: rollout.watched,
            energy,
        };
        // What an encoder put out is kept nowhere.
        let (played, kept) = layer.rollout(&rollout, keep && encoder.is_empty())?;
        if played.actions.iter().any(|&action| action as usize >= choices) {
            return Err(Error::config(
                "training.device",
                "an environment needed more drawn numbers or deals than there were: this is a fault of stpn. Set it to \"cpu\", and please report it",
            ));
        }
        let (energy, hidden) =
            (played.energy.iter().map(|&energy| f64::from(energy)).sum::<f64>(), layer.any().hidden());
        let collected = Collected {
            actions: played.actions,
            log_probs: played.log_probs,
            rewards: played.rewards,
            outputs: played.outputs,
            observed: played.observed,
            observations: played.next,
            state: played.state,
            energy: (energy / hidden as f64, (played.energy.len() / hidden) as u64),
        };
        let left = |rollout| Kept::new(Left { rollout, parameters: parameters.clone() });
        Ok((collected, kept.map(left)))
    }

    fn a2c_gradient(&self, kept: &Kept, advantages: &Kept, loss: &DeviceLoss) -> Result<(Kept, Losses)> {
        let advantages = advantages.get::<Advantages<f32>>().ok_or_else(elsewhere)?;
        let Left { rollout, parameters } = kept.get().ok_or_else(elsewhere)?;
        let own = &of_parameters(parameters)?.actor;
        let (Some(layer), Some(of_cell)) = (self.actor.trunk.recurrent(), &own.trunk.cell) else {
            return Err(elsewhere());
        };
        let DeviceObjective::A2c { value, entropy, concentration } = loss.objective else {
            return Err(other_loss());
        };
        let Extent { steps, batch } = rollout.extent();
        let of_steps = a2c_loss(loss, [value, entropy, concentration]);
        let (grad_outputs, sums) = rollout.a2c_loss(&self.general, &of_steps, advantages)?;
        let mut gradient = self.device.zeros(self.parameters_len)?;
        // The heads are linear, so that their outputs, which have another order, are not read.
        let passes = [&own.heads, &rollout.forward().hidden, rollout.outputs(), &grad_outputs];
        let grad_hidden = self.actor.heads.backward(&self.device, steps * batch, passes, &mut gradient)?;
        // Nothing looks at the last state: the next rollout is another update's business.
        let grad_end = self.device.zeros(rollout.forward().end.len())?;
        let backward = layer.backward(rollout.sequence(of_cell), rollout.forward(), &grad_hidden, &grad_end)?;
        self.device.put(&backward.parameters, &mut gradient, self.actor.first)?;
        Ok((Kept::new(gradient), a2c_sums(&of_steps, sums, steps * batch)))
    }
}

/// What is left of a rollout, with the parameters that collected it.
pub(super) struct Left {
    pub rollout: KeptRollout<f32>,
    parameters: Kept,
}
