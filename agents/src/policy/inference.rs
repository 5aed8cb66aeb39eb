//! The policy in rollouts: one step for a group of environments, in place, on slices, without a graph.

use stpn_core::kernels::linear::LinearLayer;

use super::ActorCritic;
use super::element::Element;
use super::encoder::ObservationRef;
use super::trunk::{PreparedTrunk, TrunkStepper, values};
use crate::Result;

/// The name of the recurrent layer, which the policy's head reads.
pub(crate) const CELL: &str = "cell";

/// Names of the heads.
pub(crate) const HEADS: [&str; 2] = ["policy head", "value head"];

/// A policy's present parameters, laid out for work on slices and shared by all threads.
pub struct PreparedPolicy<T: Element = f32> {
    pub(super) policy: ActorCritic,
    pub(super) actor: PreparedTrunk<T>,
    pub(super) critic: Option<PreparedTrunk<T>>,
    pub(super) policy_head: LinearLayer<T>,
    /// Parameters of the distribution that no head puts out.
    pub(super) free: Vec<T>,
    pub(super) value_head: LinearLayer<T>,
    /// All parameters, if a device is given them.
    pub(super) packed: Vec<T>,
}

impl ActorCritic {
    /// Lays out the variables' present values.
    ///
    /// # Errors
    /// Fails if candle cannot copy the parameters out.
    pub fn prepare<T: Element>(&self) -> Result<PreparedPolicy<T>> {
        self.prepare_from(&values(&self.parameters)?)
    }

    /// Lays out `packed` values of all parameters. They must be those of the variables too: parts that have no kernel
    /// read them there.
    ///
    /// # Errors
    /// Fails if candle cannot copy parameters out.
    pub fn prepare_from<T: Element>(&self, packed: &[T]) -> Result<PreparedPolicy<T>> {
        let sections = &self.sections;
        Ok(PreparedPolicy {
            policy: self.clone(),
            actor: self.actor.prepare(&packed[sections.actor.clone()]),
            critic: self.critic.as_ref().map(|critic| critic.prepare(&packed[sections.critic.clone()])),
            policy_head: LinearLayer::new(&packed[sections.policy_head.clone()], self.distribution.head_len()),
            free: packed[sections.free.clone()].to_vec(),
            value_head: LinearLayer::new(&packed[sections.value_head.clone()], 1),
            packed: if self.is_accelerated() { packed.to_vec() } else { Vec::new() },
        })
    }
}

impl<T: Element> PreparedPolicy<T> {
    /// The policy behind it.
    pub fn policy(&self) -> &ActorCritic {
        &self.policy
    }

    /// Parameters of the action distributions `[N, P]` from activities `[N, H]`.
    pub(super) fn distributions(&self, hidden: &[T], parameters: &mut [T]) {
        let len = self.policy.distribution.len();
        self.policy_head.forward(hidden, parameters, len);
        if !self.free.is_empty() {
            for row in parameters.chunks_exact_mut(len) {
                row[len - self.free.len()..].copy_from_slice(&self.free);
            }
        }
    }
}

impl PreparedPolicy {
    /// A session for `batch` environments, its recurrent state zero.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn session(&self, batch: usize) -> Result<Session<'_>> {
        Ok(Session {
            prepared: self,
            actor: self.actor.stepper(batch)?,
            critic: self.critic.as_ref().map(|critic| critic.stepper(batch)).transpose()?,
            distributions: vec![0.0; batch * self.policy.distribution.len()],
            values: vec![0.0; batch],
            energy: Vec::new(),
        })
    }
}

/// A group's recurrent state under a prepared policy.
pub struct Session<'p> {
    prepared: &'p PreparedPolicy,
    actor: TrunkStepper<'p>,
    critic: Option<TrunkStepper<'p>>,
    distributions: Vec<f32>,
    values: Vec<f32>,
    energy: Vec<f32>,
}

impl Session<'_> {
    /// Takes over packed recurrent states `[B, S]`.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn load(&mut self, state: &[f32]) -> Result<()> {
        let (policy, (actor, critic)) = (&self.prepared.policy, self.prepared.policy.state_columns());
        self.actor.load(state, policy.state_len(), &actor)?;
        match &mut self.critic {
            Some(stepper) => stepper.load(state, policy.state_len(), &critic),
            None => Ok(()),
        }
    }

    /// Writes the packed recurrent states `[B, S]` out; loading them elsewhere continues bit for bit.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn store(&mut self, state: &mut [f32]) -> Result<()> {
        let (policy, (actor, critic)) = (&self.prepared.policy, self.prepared.policy.state_columns());
        self.actor.store(state, policy.state_len(), &actor)?;
        match &mut self.critic {
            Some(stepper) => stepper.store(state, policy.state_len(), &critic),
            None => Ok(()),
        }
    }

    /// One step from observations `[B, O]`; elements with `episode_starts` = 1 start from the zero state.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn step(&mut self, observations: ObservationRef<'_>, episode_starts: &[u8]) -> Result<()> {
        self.advance(observations, episode_starts, None)
    }

    /// [`Session::step`] that also measures the energy of every neuron of the policy's trunk at this step; `input_mask`
    /// `[O]` leaves inputs out of it where it is 0.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn step_with_energy(
        &mut self,
        observations: ObservationRef<'_>,
        episode_starts: &[u8],
        input_mask: Option<&[f32]>,
    ) -> Result<()> {
        self.advance(observations, episode_starts, Some(input_mask))
    }

    fn advance(&mut self, x: ObservationRef<'_>, resets: &[u8], energy: Option<Option<&[f32]>>) -> Result<()> {
        self.actor.step(x, resets, energy.map(|mask| (&mut self.energy, mask)))?;
        self.prepared.distributions(&self.actor.hidden, &mut self.distributions);
        let critic = match &mut self.critic {
            Some(critic) => {
                critic.step(x, resets, None)?;
                &critic.hidden
            }
            None => &self.actor.hidden,
        };
        self.prepared.value_head.forward(critic, &mut self.values, 1);
        Ok(())
    }

    /// Parameters of every environment's action distribution after the last step, `[B, P]`.
    pub fn distributions(&self) -> &[f32] {
        &self.distributions
    }

    /// Those of environment `index`, `[P]`.
    pub fn distribution(&self, index: usize) -> &[f32] {
        let len = self.prepared.policy.distribution.len();
        &self.distributions[index * len..(index + 1) * len]
    }

    /// Values after the last step, `[B]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// What every layer put out at the last step, from the observations on, `[B, units]` each: without an encoder, its
    /// layer is the observations themselves.
    pub fn layers(&self) -> Vec<(&'static str, &[f32])> {
        let mut layers = vec![("encoder", &self.actor.input[..]), (CELL, &self.actor.hidden)];
        if let Some(critic) = &self.critic {
            layers.extend([("critic's encoder", &critic.input[..]), ("critic's cell", &critic.hidden)]);
        }
        layers.extend([(HEADS[0], &self.distributions[..]), (HEADS[1], &self.values)]);
        layers
    }

    /// Energy of every neuron at the last [`Session::step_with_energy`], `[B, H]`.
    pub fn energy(&self) -> &[f32] {
        &self.energy
    }
}
