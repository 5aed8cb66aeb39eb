//! A worker: one group of environments with its action streams and recurrent state, run by one thread at a time.

mod beside;
mod finals;
mod follow;
mod recompute;
mod saving;

use stpn_envs::vector::Transition;
use stpn_envs::{EnvGroup, ObservationMut};
use stpn_random::{Purpose, Stream};

use super::normalization::{Normalization, discounted_returns};
use super::{CorrelatedNoise, Fragment, Observations};
use crate::Result;
use crate::actor::{Actor, Subject};
use crate::policy::accelerator::EnergySteps;
use crate::policy::distribution::Distribution;
use crate::policy::encoder::ObservationRef;
use crate::policy::inference::PreparedPolicy;
use crate::statistics::Moments;
use crate::stop::Stop;
pub(in crate::rollout) use finals::Final;
pub use recompute::Recompute;
pub use saving::SavedWorker;

/// How often energy is measured in a rollout: sampling keeps it far below 5 % of an update.
const ENERGY_EVERY: usize = 16;

/// One group of environments under the policy.
///
/// Between rollouts it holds everything needed to continue: environments, action streams, the observations to act on
/// next, who starts an episode, and the recurrent state.
pub struct Worker {
    group: EnvGroup,
    streams: Vec<Stream>,
    /// Of continuous actions, where it is correlated.
    noise: Option<CorrelatedNoise>,
    /// `[B]` 1 if the next step is the first of an episode.
    episode_starts: Vec<u8>,
    /// `[B, S]` packed recurrent state before the next step.
    state: Vec<f32>,
    /// `[B]` discounted return of the episode under way, where rewards are normalised.
    discounted_returns: Vec<f32>,
    fragment: Fragment,
    /// `[O]` of the raw observations of the last rollout, where observations are normalised.
    observation_moments: Vec<Moments>,
    final_observations: Observations,
    /// The truncated steps of the last fragment, in order.
    finals: Vec<usize>,
    /// `[·, O]` their raw final observations.
    final_rows: Observations,
    energy: Option<EnergySampling>,
    /// Of choosing actions: a distribution's numbers, and continuous actions as environments take them.
    scratch: (Vec<f64>, Vec<f32>),
    stop: Stop,
}

/// What a worker measures of the network's energy.
#[derive(Clone, Debug, Default)]
pub struct EnergySampling {
    /// `[E]`, 0 for inputs of the recurrent layer that are left out.
    pub input_mask: Option<Vec<f32>>,
}

impl Worker {
    /// A worker whose environments stand at the first step of their first episode.
    ///
    /// # Errors
    /// Fails if an environment cannot be reset.
    pub fn new(mut group: EnvGroup, mut fragment: Fragment, seed: u64) -> Result<Self> {
        let shape = fragment.shape;
        let batch = shape.batch;
        let streams = (0..batch).map(|i| Stream::new(seed, Purpose::Actions, (group.first() + i) as u64)).collect();
        let row = batch * shape.observation;
        group.reset(fragment.observations.range_mut(shape.steps * row..(shape.steps + 1) * row))?;
        Ok(Self {
            group,
            streams,
            noise: None,
            episode_starts: vec![1; batch],
            state: vec![0.0; batch * shape.state],
            discounted_returns: vec![0.0; batch],
            observation_moments: Vec::new(),
            final_observations: Observations::zeros(fragment.observations.dtype(), row),
            finals: Vec::new(),
            final_rows: fragment.observations.empty_like(0),
            fragment,
            energy: None,
            scratch: Default::default(),
            stop: Stop::default(),
        })
    }

    /// Turns energy measurement on or off.
    pub fn set_energy(&mut self, energy: Option<EnergySampling>) {
        self.energy = energy;
    }

    /// Correlates the noise of continuous actions; 0 = independent draws.
    pub fn set_noise_correlation(&mut self, correlation: f64) {
        let dims = self.fragment.shape.action;
        self.noise = (correlation > 0.0).then(|| CorrelatedNoise::new(correlation, dims));
    }

    /// From now on every step asks `stop` whether to go on.
    pub fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// The environments.
    pub fn group(&self) -> &EnvGroup {
        &self.group
    }

    /// Failures of environments that were replaced since the last call.
    pub fn drain_failures(&mut self) -> impl Iterator<Item = stpn_envs::Error> + '_ {
        self.group.drain_failures()
    }

    /// The last fragment collected.
    pub fn fragment(&self) -> &Fragment {
        &self.fragment
    }

    /// Packed recurrent state `[B, S]` before the next step.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// Moments `[O]` of the raw observations of the last rollout, where observations are normalised.
    pub fn observation_moments(&self) -> &[Moments] {
        &self.observation_moments
    }

    /// Lives one fragment under `policy` and leaves it in [`Worker::fragment`].
    ///
    /// # Errors
    /// Fails if an environment does, and with [`crate::Error::Stopped`] if the update is to be given up.
    pub fn collect(&mut self, policy: &PreparedPolicy, normalization: &Normalization) -> Result<()> {
        let subject = Subject { policy, normalization };
        self.begin(normalization);
        let (shape, state_row) = (self.fragment.shape, self.state.len());
        let mut actor = Actor::new(subject, shape.batch)?;
        actor.session_mut().load(&self.state)?;
        for t in 0..shape.steps {
            self.stop.go_on()?;
            if t % shape.sequence_length == 0 {
                let start = t / shape.sequence_length * state_row;
                actor.session_mut().store(&mut self.fragment.sequence_states[start..start + state_row])?;
            }
            let measured = self.measures(t);
            let (observations, starts) = self.observed(t);
            match &measured {
                Some(energy) => actor.observe_with_energy(observations, starts, energy.input_mask.as_deref())?,
                None => actor.observe(observations, starts)?,
            }
            if measured.is_some() {
                self.add_energy(actor.session().energy());
            }
            self.act(t, policy.policy().distribution(), actor.session().distributions(), actor.session().values())?;
            if self.was_truncated(t) {
                let values = actor.peek(self.final_observations.clone(), &vec![0; shape.batch])?;
                self.value_finals(t, &values);
            }
        }
        actor.session_mut().store(&mut self.state)?;
        self.end(subject)
    }

    /// Where energy is measured at step `t`, if it is.
    pub(super) fn measures(&self, t: usize) -> Option<EnergySampling> {
        self.energy.clone().filter(|_| t.is_multiple_of(ENERGY_EVERY))
    }

    /// At which steps from `first` on energy is measured, if it is, in the first so many of all environments.
    pub(super) fn energy_steps(&self, first: usize, environments: usize) -> Option<EnergySteps> {
        self.energy.as_ref().map(|energy| EnergySteps {
            first: first.next_multiple_of(ENERGY_EVERY) - first,
            every: ENERGY_EVERY,
            environments,
            input_mask: energy.input_mask.clone(),
        })
    }

    /// Adds a sum of mean energies per unit, and their number.
    pub(super) fn add_measured(&mut self, (sum, samples): (f64, u64)) {
        self.fragment.energy.0 += sum;
        self.fragment.energy.1 += samples;
    }

    /// Adds the energies of units `[B, H]`.
    pub(super) fn add_energy(&mut self, energies: &[f32]) {
        let batch = self.fragment.shape.batch;
        if !energies.is_empty() {
            let sum: f64 = energies.iter().map(|&energy| f64::from(energy)).sum();
            self.add_measured((sum / (energies.len() / batch) as f64, batch as u64));
        }
    }

    /// The observations `[B, O]` of step `t`, which are to be normalised in place, and whose first ones they are.
    pub(super) fn observed(&mut self, t: usize) -> (ObservationMut<'_>, &[u8]) {
        let fragment = &mut self.fragment;
        let (batch, row) = (fragment.shape.batch, fragment.shape.batch * fragment.shape.observation);
        fragment.episode_starts[t * batch..(t + 1) * batch].copy_from_slice(&self.episode_starts);
        let observations = fragment.observations.range_mut(t * row..(t + 1) * row);
        if let ObservationMut::F32(raw) = &observations {
            take_in(&mut self.observation_moments, raw);
        }
        (observations, &self.episode_starts)
    }

    /// Acts at step `t` on what the network put out: parameters of distributions `[B, P]` and values `[B]`.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub(super) fn act(
        &mut self,
        t: usize,
        distribution: &Distribution,
        distributions: &[f32],
        values: &[f32],
    ) -> Result<()> {
        let fragment = &mut self.fragment;
        let shape = fragment.shape;
        let (batch, row, width) = (shape.batch, shape.batch * shape.observation, shape.distribution);
        let now = t * batch..(t + 1) * batch;
        fragment.estimates.values[now.clone()].copy_from_slice(values);
        fragment.distributions[now.start * width..now.end * width].copy_from_slice(distributions);
        let noise = self.noise.as_mut().map(|noise| noise.advance(&mut self.streams, &self.episode_starts));
        for (i, at) in now.clone().enumerate() {
            let parameters = &distributions[i * width..(i + 1) * width];
            fragment.log_probs[at] = match noise {
                Some(noise) => {
                    let own = &noise[i * shape.action..(i + 1) * shape.action];
                    distribution.act_with_noise(parameters, own, &mut fragment.actions, at)
                }
                None => {
                    let (stream, scratch) = (Some(&mut self.streams[i]), &mut self.scratch.0);
                    distribution.act(parameters, stream, &mut fragment.actions, at, scratch)
                }
            };
        }
        let mut transition = Transition {
            observations: fragment.observations.range_mut((t + 1) * row..(t + 2) * row),
            final_observations: self.final_observations.all_mut(),
            rewards: &mut fragment.rewards[now.clone()],
            terminated: &mut fragment.terminated[now.clone()],
            truncated: &mut fragment.truncated[now.clone()],
        };
        let actions = distribution.for_environment(&fragment.actions, now.start, batch, &mut self.scratch.1);
        self.group.step(actions, &mut transition)?;
        fragment.estimates.final_values[now.clone()].fill(0.0);
        for (start, at) in self.episode_starts.iter_mut().zip(now) {
            *start = u8::from(fragment.terminated[at] || fragment.truncated[at]);
        }
        Ok(())
    }

    /// Begins a fragment with the observations that the last one left.
    pub(super) fn begin(&mut self, normalization: &Normalization) {
        let fragment = &mut self.fragment;
        let (steps, row) = (fragment.shape.steps, fragment.shape.batch * fragment.shape.observation);
        fragment.episodes.clear();
        fragment.energy = (0.0, 0);
        self.finals.clear();
        self.final_rows = fragment.observations.empty_like(0);
        fragment.observations.copy_within(steps * row..(steps + 1) * row, 0);
        self.observation_moments.clear();
        self.observation_moments.resize(normalization.observations.len(), Moments::default());
    }

    /// Ends a fragment whose steps are done: the values of what follows, and the episodes that ended.
    ///
    /// # Errors
    /// Fails if a step of the network does.
    pub(super) fn end(&mut self, subject: Subject<'_>) -> Result<()> {
        let (next, starts) = self.next();
        let values = peek(subject, &self.state, next, starts)?;
        self.estimate(&values);
        Ok(())
    }

    /// The raw observations `[B, O]` to act on next, and whose first ones they are.
    pub(super) fn next(&self) -> (ObservationRef<'_>, &[u8]) {
        let fragment = &self.fragment;
        let (steps, row) = (fragment.shape.steps, fragment.shape.batch * fragment.shape.observation);
        (fragment.observations.range(steps * row..(steps + 1) * row), &self.episode_starts)
    }

    /// Takes in the values `[B]` of what follows, and the episodes that ended.
    fn estimate(&mut self, values: &[f32]) {
        let fragment = &mut self.fragment;
        fragment.estimates.last_values.copy_from_slice(values);
        fragment.episodes.extend(self.group.drain_episodes());
    }

    /// Moves the discounted returns along the last fragment's rewards and gives their moments.
    pub fn discounted_returns(&mut self, gamma: f64) -> Moments {
        discounted_returns(&self.fragment, gamma, &mut self.discounted_returns)
    }
}

/// Values of raw `observations` from recurrent states `state`, by an actor of its own: the worker's never advances.
fn peek(
    subject: Subject<'_>,
    state: &[f32],
    observations: ObservationRef<'_>,
    episode_starts: &[u8],
) -> Result<Vec<f32>> {
    let mut actor = Actor::new(subject, episode_starts.len())?;
    // Its memories are zero, which is right if all begin an episode.
    if episode_starts.contains(&0) {
        actor.session_mut().load(state)?;
    }
    // A copy, since what an actor observes is normalised in place.
    actor.observe(Observations::from(observations).all_mut(), episode_starts)?;
    Ok(actor.session().values().to_vec())
}

/// Adds raw observations `[B, O]` to moments `[O]`; none if they are not normalised.
fn take_in(moments: &mut [Moments], raw: &[f32]) {
    if !moments.is_empty() {
        for row in raw.chunks_exact(moments.len()) {
            moments.iter_mut().zip(row).for_each(|(moments, &value)| moments.push(f64::from(value)));
        }
    }
}
