//! The policy in training: whole sequences forward, and back from the gradients of its outputs, on slices.

use stpn_core::kernels::linear::LinearLayer;

use super::element::Element;
use super::inference::PreparedPolicy;
use super::trunk::Pass;
use super::{Inputs, columns};
use crate::Result;

/// Outputs of the heads over sequences, or a loss's gradient in them; N = L·B, time-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heads<T> {
    /// Parameters of the action distributions, `[N, P]`.
    pub distributions: Vec<T>,
    /// Values, `[N]`.
    pub values: Vec<T>,
}

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

        let free = &mut gradient[sections.free.clone()];
        free.fill(T::ZERO);
        if !free.is_empty() {
            for row in grads.distributions.chunks_exact(len) {
                free.iter_mut().zip(&row[len - self.free.len()..]).for_each(|(sum, &grad)| *sum += grad);
            }
        }
        Ok(result)
    }
}
