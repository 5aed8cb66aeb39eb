//! The policy in rollouts: one step for a group of environments, in place, on slices, without a graph.

use std::sync::Arc;

use stpn_core::kernels::linear::LinearLayer;

use super::ActorCritic;
use super::accelerator::{Accelerator, DeviceStepper, Kept};
use super::element::Element;
use super::encoder::{Numbering, ObservationRef};
use super::heads::Heads;
use super::trunk::{PreparedTrunk, TrunkStepper, values};
use crate::Result;

/// The name of the recurrent layer, which the policy's head reads.
pub(crate) const CELL: &str = "cell";

/// Names of the heads.
pub(crate) const HEADS: [&str; 2] = ["policy head", "value head"];

/// A policy's present parameters, laid out for work on slices and shared by all threads, or on a device.
pub struct PreparedPolicy<T: Element = f32> {
    pub(super) policy: ActorCritic,
    pub(super) place: Place<T>,
}

/// Where a policy computes.
pub(super) enum Place<T: Element> {
    Here(Box<PreparedNetwork<T>>),
    There(There),
}

/// A policy's parameters in memory.
pub(super) struct PreparedNetwork<T: Element> {
    pub actor: PreparedTrunk<T>,
    pub critic: Option<PreparedTrunk<T>>,
    pub policy_head: LinearLayer<T>,
    /// Parameters of the distribution that no head puts out.
    pub free: Vec<T>,
    pub value_head: LinearLayer<T>,
}

/// Those on a device.
pub(super) struct There {
    pub accelerator: Arc<dyn Accelerator>,
    pub parameters: Kept,
}

impl ActorCritic {
    /// Lays out the variables' present values.
    ///
    /// # Errors
    /// Fails if candle cannot copy the parameters out, or a device does.
    pub fn prepare<T: Element>(&self) -> Result<PreparedPolicy<T>> {
        self.prepare_from(&values(&self.parameters)?)
    }

    /// Lays out `packed` values of all parameters. They must be those of the variables too: parts that have no kernel
    /// read them there.
    ///
    /// # Errors
    /// Fails if candle cannot copy parameters out, or a device does.
    pub fn prepare_from<T: Element>(&self, packed: &[T]) -> Result<PreparedPolicy<T>> {
        if let Some(accelerator) = &self.accelerator {
            return Ok(self.prepare_there(accelerator.place(&single(packed))?));
        }
        let sections = &self.sections;
        let network = PreparedNetwork {
            actor: self.actor.prepare(&packed[sections.actor.clone()]),
            critic: self.critic.as_ref().map(|critic| critic.prepare(&packed[sections.critic.clone()])),
            policy_head: LinearLayer::new(&packed[sections.policy_head.clone()], self.distribution.head_len()),
            free: packed[sections.free.clone()].to_vec(),
            value_head: LinearLayer::new(&packed[sections.value_head.clone()], 1),
        };
        Ok(PreparedPolicy { policy: self.clone(), place: Place::Here(Box::new(network)) })
    }

    /// The policy with parameters that are on its device.
    ///
    /// # Panics
    /// If it has none.
    pub(crate) fn prepare_there<T: Element>(&self, parameters: Kept) -> PreparedPolicy<T> {
        let accelerator = self.accelerator.clone().expect("only a device has parameters of its own");
        PreparedPolicy { policy: self.clone(), place: Place::There(There { accelerator, parameters }) }
    }
}

impl<T: Element> PreparedPolicy<T> {
    /// The policy behind it.
    pub fn policy(&self) -> &ActorCritic {
        &self.policy
    }

    /// Its parameters on a device, if they are there.
    pub(crate) fn parameters_there(&self) -> Option<&Kept> {
        match &self.place {
            Place::Here(_) => None,
            Place::There(there) => Some(&there.parameters),
        }
    }
}

impl<T: Element> PreparedNetwork<T> {
    /// Parameters of the action distributions `[N, P]` from activities `[N, H]`.
    pub(super) fn distributions(&self, hidden: &[T], len: usize, parameters: &mut [T]) {
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
    /// Fails if candle cannot allocate, or a device does.
    pub fn session(&self, batch: usize) -> Result<Session<'_>> {
        let stepper = match &self.place {
            Place::Here(network) => PolicyStepper::Here {
                network,
                actor: network.actor.stepper(batch)?,
                critic: network.critic.as_ref().map(|critic| critic.stepper(batch)).transpose()?.map(Box::new),
            },
            Place::There(There { accelerator, parameters }) => PolicyStepper::There {
                numbering: self.policy.actor.encoder().numbering(),
                stepper: accelerator.stepper(parameters, batch)?,
            },
        };
        let len = self.policy.distribution.len();
        let outputs = Heads { distributions: vec![0.0; batch * len], values: vec![0.0; batch] };
        Ok(Session { prepared: self, stepper, outputs, energy: Vec::new() })
    }
}

/// A group's recurrent state under a prepared policy.
pub struct Session<'p> {
    prepared: &'p PreparedPolicy,
    stepper: PolicyStepper<'p>,
    outputs: Heads<f32>,
    energy: Vec<f32>,
}

/// The network of a session.
enum PolicyStepper<'p> {
    Here { network: &'p PreparedNetwork<f32>, actor: TrunkStepper<'p>, critic: Option<Box<TrunkStepper<'p>>> },
    There { numbering: Numbering<f32>, stepper: Box<dyn DeviceStepper + 'p> },
}

impl Session<'_> {
    /// Takes over packed recurrent states `[B, S]`.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn load(&mut self, state: &[f32]) -> Result<()> {
        let (policy, (of_actor, of_critic)) = (&self.prepared.policy, self.prepared.policy.state_columns());
        match &mut self.stepper {
            PolicyStepper::Here { actor, critic, .. } => {
                actor.load(state, policy.state_len(), &of_actor)?;
                critic.iter_mut().try_for_each(|critic| critic.load(state, policy.state_len(), &of_critic))
            }
            PolicyStepper::There { stepper, .. } => stepper.load(state),
        }
    }

    /// Writes the packed recurrent states `[B, S]` out; loading them elsewhere continues bit for bit.
    ///
    /// # Errors
    /// Fails on a length that does not fit.
    pub fn store(&mut self, state: &mut [f32]) -> Result<()> {
        let (policy, (of_actor, of_critic)) = (&self.prepared.policy, self.prepared.policy.state_columns());
        match &mut self.stepper {
            PolicyStepper::Here { actor, critic, .. } => {
                actor.store(state, policy.state_len(), &of_actor)?;
                critic.iter_mut().try_for_each(|critic| critic.store(state, policy.state_len(), &of_critic))
            }
            PolicyStepper::There { stepper, .. } => stepper.store(state),
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

    /// Values `[B]` that a step from observations `[B, O]` would give; the states stay as they are.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn peek(&mut self, observations: ObservationRef<'_>, episode_starts: &[u8]) -> Result<Vec<f32>> {
        if let PolicyStepper::There { numbering, stepper } = &mut self.stepper {
            return stepper.peek(&numbering.for_device(observations), episode_starts);
        }
        let batch = self.outputs.values.len();
        let mut state = vec![0.0; batch * self.prepared.policy.state_len()];
        self.store(&mut state)?;
        let mut other = self.prepared.session(batch)?;
        other.load(&state)?;
        other.step(observations, episode_starts)?;
        Ok(other.outputs.values)
    }

    fn advance(&mut self, x: ObservationRef<'_>, resets: &[u8], energy: Option<Option<&[f32]>>) -> Result<()> {
        let Heads { distributions, values } = &mut self.outputs;
        let energy = energy.map(|mask| (&mut self.energy, mask));
        match &mut self.stepper {
            PolicyStepper::Here { network, actor, critic } => {
                actor.step(x, resets, energy)?;
                network.distributions(&actor.hidden, self.prepared.policy.distribution.len(), distributions);
                let hidden = match critic {
                    Some(critic) => {
                        critic.step(x, resets, None)?;
                        &critic.hidden
                    }
                    None => &actor.hidden,
                };
                network.value_head.forward(hidden, values, 1);
                Ok(())
            }
            PolicyStepper::There { numbering, stepper } => {
                stepper.step(&numbering.for_device(x), resets, &mut self.outputs, energy)
            }
        }
    }

    /// Parameters of every environment's action distribution after the last step, `[B, P]`.
    pub fn distributions(&self) -> &[f32] {
        &self.outputs.distributions
    }

    /// Those of environment `index`, `[P]`.
    pub fn distribution(&self, index: usize) -> &[f32] {
        let len = self.prepared.policy.distribution.len();
        &self.outputs.distributions[index * len..(index + 1) * len]
    }

    /// Values after the last step, `[B]`.
    pub fn values(&self) -> &[f32] {
        &self.outputs.values
    }

    /// What every layer put out at the last step, from the observations on, `[B, units]` each: without an encoder, its
    /// layer is the observations themselves. Of a network on a device, the heads alone.
    pub fn layers(&self) -> Vec<(&'static str, &[f32])> {
        let mut layers: Vec<(&'static str, &[f32])> = Vec::new();
        if let PolicyStepper::Here { actor, critic, .. } = &self.stepper {
            layers.extend([("encoder", &actor.input[..]), (CELL, &actor.hidden)]);
            if let Some(critic) = critic {
                layers.extend([("critic's encoder", &critic.input[..]), ("critic's cell", &critic.hidden)]);
            }
        }
        layers.extend([(HEADS[0], self.distributions()), (HEADS[1], self.values())]);
        layers
    }

    /// Energy of every neuron at the last [`Session::step_with_energy`], `[B, H]`.
    pub fn energy(&self) -> &[f32] {
        &self.energy
    }
}

/// Values in single precision.
pub(super) fn single<T: Element>(values: &[T]) -> Vec<f32> {
    values.iter().map(|value| value.wide() as f32).collect()
}
