//! The policy in training: whole sequences forward, and back from the gradients of its outputs, on slices.

use stpn_core::kernels::linear::LinearLayer;

use super::accelerator::{Accelerator, Sequences};
use super::element::Element;
pub use super::heads::Heads;
use super::inference::PreparedPolicy;
use super::trunk::Pass;
use super::{Inputs, columns};
use crate::Result;

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
        if let Some(accelerator) = &self.policy.accelerator {
            return self.accelerate(accelerator.as_ref(), inputs, state, gradient, loss);
        }
        let n = inputs.steps * inputs.batch;
        let (policy, sections) = (&self.policy, &self.policy.sections);
        let (actor_columns, critic_columns) = policy.state_columns();
        let actor = self.actor.pass(inputs, &columns(state, policy.state_len(), &actor_columns))?;
        let critic = match &self.critic {
            Some(critic) => Some(critic.pass(inputs, &columns(state, policy.state_len(), &critic_columns))?),
            None => None,
        };
        let len = policy.distribution.len();
        let zeros = || Heads { distributions: vec![T::ZERO; n * len], values: vec![T::ZERO; n] };
        let (mut outputs, mut grads) = (zeros(), zeros());
        self.distributions(&actor.hidden, &mut outputs.distributions);
        self.value_head.forward(&critic.as_ref().unwrap_or(&actor).hidden, &mut outputs.values, 1);
        let result = loss(&outputs, &mut grads);

        let mut part = |head: &LinearLayer<T>, pass: &Pass<T>, grad: &[T], stride, hidden: &mut [T], section| {
            let section: std::ops::Range<usize> = section;
            head.backward(&pass.hidden, grad, stride, hidden, &mut gradient[section]);
        };
        let mut grad_hidden = vec![T::ZERO; actor.hidden.len()];
        let section = sections.policy_head.clone();
        part(&self.policy_head, &actor, &grads.distributions, len, &mut grad_hidden, section);
        let section = sections.value_head.clone();
        match (&self.critic, &critic) {
            (Some(trunk), Some(pass)) => {
                let mut grad_hidden = vec![T::ZERO; pass.hidden.len()];
                part(&self.value_head, pass, &grads.values, 1, &mut grad_hidden, section);
                trunk.backward(inputs, pass, &grad_hidden, &mut gradient[sections.critic.clone()])?;
            }
            _ => part(&self.value_head, &actor, &grads.values, 1, &mut grad_hidden, section),
        }
        self.actor.backward(inputs, &actor, &grad_hidden, &mut gradient[sections.actor.clone()])?;

        self.free_gradient(&grads.distributions, &mut gradient[sections.free.clone()]);
        Ok(result)
    }

    /// Writes the gradient of the parameters of the distribution that no head puts out.
    fn free_gradient(&self, grad_distributions: &[T], free: &mut [T]) {
        free.fill(T::ZERO);
        if !free.is_empty() {
            let len = self.policy.distribution.len();
            let first = len - free.len();
            for row in grad_distributions.chunks_exact(len) {
                free.iter_mut().zip(&row[first..]).for_each(|(sum, &grad)| *sum += grad);
            }
        }
    }

    /// [`PreparedPolicy::differentiate`] on a device, in single precision.
    fn accelerate<R>(
        &self,
        accelerator: &dyn Accelerator,
        inputs: &Inputs<'_>,
        state: &[f32],
        gradient: &mut [T],
        loss: impl FnOnce(&Heads<T>, &mut Heads<T>) -> R,
    ) -> Result<R> {
        let numbers = self.actor.numbers(inputs.observations);
        let sequences = Sequences {
            steps: inputs.steps,
            batch: inputs.batch,
            numbers: &single(&numbers),
            episode_starts: inputs.episode_starts,
            state,
        };
        let mut there = vec![0.0; gradient.len()];
        let (mut loss, mut result) = (Some(loss), None);
        let mut of_steps = |outputs: &Heads<f32>, grads: &mut Heads<f32>| {
            let Some(loss) = loss.take() else { return };
            let [outputs, mut own] = [outputs, &*grads].map(|heads| Heads {
                distributions: T::of_f32(&heads.distributions).into_owned(),
                values: T::of_f32(&heads.values).into_owned(),
            });
            let told = loss(&outputs, &mut own);
            *grads = Heads { distributions: single(&own.distributions), values: single(&own.values) };
            result = Some((told, own.distributions));
        };
        accelerator.differentiate(&sequences, &single(&self.packed), &mut there, &mut of_steps)?;
        gradient.copy_from_slice(&T::of_f32(&there));
        let Some((told, grad_distributions)) = result else {
            unreachable!("an accelerator that succeeds has asked for the loss")
        };
        self.free_gradient(&grad_distributions, &mut gradient[self.policy.sections.free.clone()]);
        Ok(told)
    }
}

/// Values in single precision.
fn single<T: Element>(values: &[T]) -> Vec<f32> {
    values.iter().map(|value| value.wide() as f32).collect()
}
