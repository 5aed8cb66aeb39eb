//! A worker: one group of environments with its action streams and recurrent state, run by one thread at a time.

mod follow;
mod recompute;

use stpn_envs::vector::Transition;
use stpn_envs::{EnvGroup, ObservationMut};
use stpn_random::{Purpose, Stream};

use super::normalization::{Normalization, discounted_returns};
use super::{CorrelatedNoise, Fragment, Observations};
use crate::actor::{Actor, Subject};
use crate::policy::encoder::ObservationRef;
use crate::policy::inference::PreparedPolicy;
use crate::statistics::Moments;
use crate::stop::Stop;
use crate::{Error, Result};
pub use recompute::Recompute;

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
    final_state: Vec<f32>,
    /// The truncated steps of the last fragment, in order.
    finals: Vec<usize>,
    /// `[·, O]` their raw final observations.
    final_rows: Observations,
    energy: Option<EnergySampling>,
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
            final_state: vec![0.0; batch * shape.state],
            finals: Vec::new(),
            final_rows: fragment.observations.empty_like(0),
            fragment,
            energy: None,
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
    /// Fails if an environment does, and with [`Error::Stopped`] if the update is to be given up.
    pub fn collect(&mut self, policy: &PreparedPolicy, normalization: &Normalization) -> Result<()> {
        let subject = Subject { policy, normalization };
        self.begin(normalization);
        let shape = self.fragment.shape;
        let batch = shape.batch;
        let (row, state_row, distribution_row) =
            (batch * shape.observation, self.state.len(), batch * shape.distribution);
        let fragment = &mut self.fragment;

        let mut actor = Actor::new(subject, batch)?;
        actor.session_mut().load(&self.state)?;
        for t in 0..shape.steps {
            self.stop.go_on()?;
            if t % shape.sequence_length == 0 {
                let start = t / shape.sequence_length * state_row;
                actor.session_mut().store(&mut fragment.sequence_states[start..start + state_row])?;
            }
            let now = t * batch..(t + 1) * batch;
            fragment.episode_starts[now.clone()].copy_from_slice(&self.episode_starts);
            let mut observations = fragment.observations.range_mut(t * row..(t + 1) * row);
            if let ObservationMut::F32(raw) = &observations {
                take_in(&mut self.observation_moments, raw);
            }

            match &self.energy {
                Some(energy) if t % ENERGY_EVERY == 0 => {
                    let mask = energy.input_mask.as_deref();
                    actor.observe_with_energy(observations.reborrow(), &self.episode_starts, mask)?;
                    let energy = actor.session().energy();
                    if !energy.is_empty() {
                        let sum: f64 = energy.iter().map(|&e| f64::from(e)).sum();
                        fragment.energy.0 += sum / (energy.len() / batch) as f64;
                        fragment.energy.1 += batch as u64;
                    }
                }
                _ => actor.observe(observations.reborrow(), &self.episode_starts)?,
            }
            fragment.estimates.values[now.clone()].copy_from_slice(actor.session().values());
            fragment.distributions[t * distribution_row..(t + 1) * distribution_row]
                .copy_from_slice(actor.session().distributions());
            let noise = self.noise.as_mut().map(|noise| noise.advance(&mut self.streams, &self.episode_starts));
            for (i, at) in now.clone().enumerate() {
                fragment.log_probs[at] = match noise {
                    Some(noise) => {
                        let own = &noise[i * shape.action..(i + 1) * shape.action];
                        actor.choose_with_noise(i, own, &mut fragment.actions, at)
                    }
                    None => actor.choose(i, Some(&mut self.streams[i]), &mut fragment.actions, at),
                };
            }

            let mut transition = Transition {
                observations: fragment.observations.range_mut((t + 1) * row..(t + 2) * row),
                final_observations: self.final_observations.all_mut(),
                rewards: &mut fragment.rewards[now.clone()],
                terminated: &mut fragment.terminated[now.clone()],
                truncated: &mut fragment.truncated[now.clone()],
            };
            let actions = actor.for_environment(&fragment.actions, now.start, batch);
            self.group.step(actions, &mut transition)?;

            fragment.estimates.final_values[now.clone()].fill(0.0);
            let truncated = |i: usize| fragment.truncated[now.start + i] && !fragment.terminated[now.start + i];
            if (0..batch).any(truncated) {
                actor.session_mut().store(&mut self.final_state)?;
                let values = peek(subject, &self.final_state, self.final_observations.all(), &vec![0; batch])?;
                for i in (0..batch).filter(|&i| truncated(i)).collect::<Vec<_>>() {
                    fragment.estimates.final_values[now.start + i] = values[i];
                    self.finals.push(now.start + i);
                    let own = i * shape.observation..(i + 1) * shape.observation;
                    self.final_rows.extend(self.final_observations.range(own));
                }
            }
            for (i, start) in self.episode_starts.iter_mut().enumerate() {
                *start = u8::from(fragment.terminated[now.start + i] || fragment.truncated[now.start + i]);
            }
        }
        actor.session_mut().store(&mut self.state)?;
        self.end(subject)
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
        let fragment = &mut self.fragment;
        let (steps, row) = (fragment.shape.steps, fragment.shape.batch * fragment.shape.observation);
        let next = fragment.observations.range(steps * row..(steps + 1) * row);
        let values = peek(subject, &self.state, next, &self.episode_starts)?;
        fragment.estimates.last_values.copy_from_slice(&values);
        fragment.episodes.extend(self.group.drain_episodes());
        Ok(())
    }

    /// Moves the discounted returns along the last fragment's rewards and gives their moments.
    pub fn discounted_returns(&mut self, gamma: f64) -> Moments {
        discounted_returns(&self.fragment, gamma, &mut self.discounted_returns)
    }

    /// Writes down everything needed to continue.
    ///
    /// # Errors
    /// Fails if an environment cannot be saved.
    pub fn save(&self, saved: &mut SavedWorker) -> Result<()> {
        saved.environments.clear();
        self.group.save_state(&mut saved.environments)?;
        saved.streams.clone_from(&self.streams);
        saved.noise.clear();
        saved.noise.extend_from_slice(self.noise.as_ref().map_or(&[], CorrelatedNoise::last));
        saved.episode_starts.clone_from(&self.episode_starts);
        // If the next step begins an episode, the memory is cleared before it is read.
        saved.state.clear();
        let width = self.fragment.shape.state;
        for (row, _) in self.episode_starts.iter().enumerate().filter(|&(_, &start)| start == 0) {
            saved.state.extend_from_slice(&self.state[row * width..][..width]);
        }
        saved.discounted_returns.clone_from(&self.discounted_returns);
        saved.observations = self.fragment.observations.empty_like(self.final_observations.len());
        let next = self.fragment.observations.len() - self.final_observations.len();
        saved.observations.extend(self.fragment.observations.range(next..self.fragment.observations.len()));
        Ok(())
    }

    /// Takes over what [`Worker::save`] wrote in a worker of the same configuration.
    ///
    /// # Errors
    /// Fails on extents that do not fit or an environment that refuses its state.
    pub fn restore(&mut self, saved: &SavedWorker) -> Result<()> {
        let width = self.fragment.shape.state;
        // Before format 4, the memories of all environments were saved.
        let every = saved.state.len() == self.state.len();
        let remembers = |row: &usize| every || saved.episode_starts.get(*row) == Some(&0);
        let rows: Vec<usize> = (0..self.streams.len()).filter(remembers).collect();
        let noise = self.streams.len() * self.fragment.shape.action;
        let fits = [
            ("action streams", saved.streams.len(), self.streams.len()),
            ("noise", saved.noise.len(), if saved.noise.is_empty() { 0 } else { noise }),
            ("episode starts", saved.episode_starts.len(), self.episode_starts.len()),
            ("recurrent state", saved.state.len(), rows.len() * width),
            ("discounted returns", saved.discounted_returns.len(), self.discounted_returns.len()),
            ("observations", saved.observations.len(), self.final_observations.len()),
        ];
        for (what, got, expected) in fits {
            if got != expected {
                let problem = format!("saved {what} has {got} elements where the configuration needs {expected}");
                return Err(Error::config("checkpoint", problem));
            }
        }
        if saved.observations.dtype() != self.fragment.observations.dtype() {
            let problem = format!("saved observations are {:?}, not the environment's", saved.observations.dtype());
            return Err(Error::config("checkpoint", problem));
        }
        self.group.restore_state(&saved.environments)?;
        self.streams.clone_from(&saved.streams);
        self.noise.iter_mut().for_each(|noise| noise.restore(&saved.noise));
        self.episode_starts.clone_from(&saved.episode_starts);
        self.state.fill(0.0);
        for (place, row) in rows.into_iter().enumerate() {
            self.state[row * width..][..width].copy_from_slice(&saved.state[place * width..][..width]);
        }
        self.discounted_returns.clone_from(&saved.discounted_returns);
        let next = self.fragment.observations.len() - self.final_observations.len();
        self.fragment.observations.write(next, saved.observations.all());
        self.begin_lost_episodes(next)
    }

    /// Begins new episodes where the environment could not be saved; observations to act on lie at `next`.
    fn begin_lost_episodes(&mut self, next: usize) -> Result<()> {
        let lost = self.group.lost_episodes();
        let (width, state) = (self.fragment.shape.observation, self.fragment.shape.state);
        for &row in &lost {
            let here = next + row * width..next + (row + 1) * width;
            self.group.begin_anew(row, self.fragment.observations.range_mut(here))?;
            self.episode_starts[row] = 1;
            self.state[row * state..(row + 1) * state].fill(0.0);
            self.discounted_returns[row] = 0.0;
        }
        if !lost.is_empty() {
            let first = self.group.first();
            tracing::warn!(
                "environments {first} to {} cannot be saved: they begin new episodes",
                first + self.group.len() - 1
            );
        }
        Ok(())
    }
}

/// Everything a worker needs to continue exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedWorker {
    /// The environments' own bytes.
    pub environments: Vec<u8>,
    /// `[B]` action streams.
    pub streams: Vec<Stream>,
    /// `[B, A]` noise of the last actions, where it is correlated; else empty.
    pub noise: Vec<f32>,
    /// `[B]`
    pub episode_starts: Vec<u8>,
    /// `[E, S]` of the E environments whose next step continues an episode; the others have nothing to remember.
    pub state: Vec<f32>,
    /// `[B]` discounted return of the episode under way.
    pub discounted_returns: Vec<f32>,
    /// `[B, O]` the observations to act on next.
    pub observations: Observations,
}

impl Default for SavedWorker {
    fn default() -> Self {
        Self {
            environments: Vec::new(),
            streams: Vec::new(),
            noise: Vec::new(),
            episode_starts: Vec::new(),
            state: Vec::new(),
            discounted_returns: Vec::new(),
            observations: Observations::F32(Vec::new()),
        }
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
