//! The policy in training: whole sequences forward, and back from the gradients of its outputs, on slices.

use stpn_core::kernels::linear::LinearLayer;

use super::accelerator::{
    DeviceAdvantages, DeviceBehaviour, DeviceLoss, DeviceSteps, EnergySteps, Kept, Losses, Ran, Seen, Sequences,
};
use super::element::Element;
pub use super::heads::Heads;
use super::inference::{Place, PreparedPolicy, There, single};
use super::trunk::Pass;
use super::{Inputs, columns};
use crate::{Error, Result};

impl<T: Element> PreparedPolicy<T> {
    /// Runs sequences from packed states `[B, S]` and writes the gradient of a loss in all parameters, packed.
    ///
    /// `loss` reads the outputs and fills in its gradient in them, which comes in as zeros.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn differentiate<R>(
        &self,
        inputs: &Inputs<'_>,
        state: &[f32],
        gradient: &mut [T],
        loss: impl FnOnce(&Heads<T>, &mut Heads<T>) -> R,
    ) -> Result<R> {
        let network = match &self.place {
            Place::Here(network) => network,
            Place::There(there) => {
                let (result, kept) = self.differentiate_there(there, inputs, state, loss)?;
                gradient.copy_from_slice(&T::of_f32(&there.accelerator.read(&kept)?));
                return Ok(result);
            }
        };
        let n = inputs.steps * inputs.batch;
        let (policy, sections) = (&self.policy, &self.policy.sections);
        let (actor_columns, critic_columns) = policy.state_columns();
        let actor = network.actor.pass(inputs, &columns(state, policy.state_len(), &actor_columns))?;
        let critic = match &network.critic {
            Some(critic) => Some(critic.pass(inputs, &columns(state, policy.state_len(), &critic_columns))?),
            None => None,
        };
        let len = policy.distribution.len();
        let zeros = || Heads { distributions: vec![T::ZERO; n * len], values: vec![T::ZERO; n] };
        let (mut outputs, mut grads) = (zeros(), zeros());
        network.distributions(&actor.hidden, len, &mut outputs.distributions);
        network.value_head.forward(&critic.as_ref().unwrap_or(&actor).hidden, &mut outputs.values, 1);
        let result = loss(&outputs, &mut grads);

        let mut part = |head: &LinearLayer<T>, pass: &Pass<T>, grad: &[T], stride, hidden: &mut [T], section| {
            let section: std::ops::Range<usize> = section;
            head.backward(&pass.hidden, grad, stride, hidden, &mut gradient[section]);
        };
        let mut grad_hidden = vec![T::ZERO; actor.hidden.len()];
        let section = sections.policy_head.clone();
        part(&network.policy_head, &actor, &grads.distributions, len, &mut grad_hidden, section);
        let section = sections.value_head.clone();
        match (&network.critic, &critic) {
            (Some(trunk), Some(pass)) => {
                let mut grad_hidden = vec![T::ZERO; pass.hidden.len()];
                part(&network.value_head, pass, &grads.values, 1, &mut grad_hidden, section);
                trunk.backward(inputs, pass, &grad_hidden, &mut gradient[sections.critic.clone()])?;
            }
            _ => part(&network.value_head, &actor, &grads.values, 1, &mut grad_hidden, section),
        }
        network.actor.backward(inputs, &actor, &grad_hidden, &mut gradient[sections.actor.clone()])?;

        free_gradient(&grads.distributions, len, &mut gradient[sections.free.clone()]);
        Ok(result)
    }

    /// [`PreparedPolicy::differentiate`] on a device, in single precision. The gradient stays there.
    fn differentiate_there<R>(
        &self,
        there: &There,
        inputs: &Inputs<'_>,
        state: &[f32],
        loss: impl FnOnce(&Heads<T>, &mut Heads<T>) -> R,
    ) -> Result<(R, Kept)> {
        let seen = self.policy.actor.encoder().numbering().for_device(inputs.observations);
        let (mut loss, mut result) = (Some(loss), None);
        let mut of_steps = |outputs: &Heads<f32>, grads: &mut Heads<f32>| {
            let Some(loss) = loss.take() else { return };
            let [outputs, mut own] = [outputs, &*grads].map(|heads| Heads {
                distributions: T::of_f32(&heads.distributions).into_owned(),
                values: T::of_f32(&heads.values).into_owned(),
            });
            result = Some(loss(&outputs, &mut own));
            *grads = Heads { distributions: single(&own.distributions), values: single(&own.values) };
        };
        let kept =
            there.accelerator.differentiate(&sequences(inputs, &seen, state), &there.parameters, &mut of_steps)?;
        let Some(result) = result else { unreachable!("an accelerator that succeeds has asked for the loss") };
        Ok((result, kept))
    }
}

impl PreparedPolicy {
    /// The gradient of A2C's loss, which the policy's device computes, and the sums of the loss. The gradient stays
    /// there.
    ///
    /// # Errors
    /// Fails if the device does, and for a policy that is here.
    pub(crate) fn minimize_on_device(
        &self,
        inputs: &Inputs<'_>,
        state: &[f32],
        loss: &DeviceLoss,
        steps: (&DeviceSteps<'_>, DeviceAdvantages<'_>),
    ) -> Result<(Kept, Losses)> {
        let there = self.there()?;
        let seen = self.policy.actor.encoder().numbering().for_device(inputs.observations);
        there.accelerator.minimize(&sequences(inputs, &seen, state), &there.parameters, loss, steps)
    }

    /// Brings the training sequences of a rollout to the policy's device, for PPO, without advantages.
    ///
    /// # Errors
    /// Fails if the device does, and for a policy that is here.
    pub(crate) fn place_rollout(
        &self,
        inputs: &Inputs<'_>,
        state: &[f32],
        steps: &DeviceSteps<'_>,
        acted: &DeviceBehaviour<'_>,
    ) -> Result<Kept> {
        let seen = self.policy.actor.encoder().numbering().for_device(inputs.observations);
        self.there()?.accelerator.place_rollout(&sequences(inputs, &seen, state), steps, acted)
    }

    /// The gradient of PPO's loss over some of those sequences with their advantages, as far as their first so many
    /// steps, and the sums of the loss. The gradient stays there.
    ///
    /// # Errors
    /// Fails if the device does, and for a policy that is here.
    pub(crate) fn minimize_part(
        &self,
        rollout: &Kept,
        part: (DeviceAdvantages<'_>, usize),
        loss: &DeviceLoss,
    ) -> Result<(Kept, Losses)> {
        let there = self.there()?;
        there.accelerator.minimize_part(rollout, part, &there.parameters, loss)
    }

    /// Runs sequences of a policy that is on a device, without a gradient, and measures energy where it is asked for.
    ///
    /// # Errors
    /// Fails if the device does, and for a policy that is here.
    pub(crate) fn run_on_device(
        &self,
        inputs: &Inputs<'_>,
        state: &[f32],
        energy: Option<&EnergySteps>,
    ) -> Result<Ran> {
        let there = self.there()?;
        let seen = self.policy.actor.encoder().numbering().for_device(inputs.observations);
        there.accelerator.run(&sequences(inputs, &seen, state), &there.parameters, energy)
    }

    fn there(&self) -> Result<&There> {
        match &self.place {
            Place::Here(_) => Err(Error::config("training.device", "the policy is not on a device")),
            Place::There(there) => Ok(there),
        }
    }
}

/// Sequences for a device, which is given their observations in another form.
fn sequences<'s>(inputs: &Inputs<'s>, observations: &'s Seen<'s>, state: &'s [f32]) -> Sequences<'s> {
    let Inputs { steps, batch, episode_starts, .. } = *inputs;
    Sequences { steps, batch, observations, episode_starts, state }
}

/// Writes the gradient of the parameters of the distribution that no head puts out, from that of distributions `[N,
/// len]`.
pub(super) fn free_gradient<T: Element>(grad_distributions: &[T], len: usize, free: &mut [T]) {
    free.fill(T::ZERO);
    if !free.is_empty() {
        let first = len - free.len();
        for row in grad_distributions.chunks_exact(len) {
            free.iter_mut().zip(&row[first..]).for_each(|(sum, &grad)| *sum += grad);
        }
    }
}
