//! A worker: one group of environments with its action streams and recurrent state, run by one thread at a time.

use stpn_envs::vector::Transition;
use stpn_envs::{EnvGroup, ObservationMut};
use stpn_random::{Purpose, Stream};

use super::Fragment;
use crate::policy::inference::{PreparedPolicy, Session};
use crate::{Error, Result};

/// How often energy is measured in a rollout: sampling keeps it far below 5 % of an update.
const ENERGY_EVERY: usize = 16;

/// One group of environments under the policy.
///
/// Between rollouts it holds everything needed to continue: environments, action streams, the observations to act on
/// next, who starts an episode, and the recurrent state.
pub struct Worker {
    group: EnvGroup,
    streams: Vec<Stream>,
    /// `[B]` 1 where the next step is the first of an episode.
    episode_starts: Vec<u8>,
    /// `[B, S]` packed recurrent state before the next step.
    state: Vec<f32>,
    fragment: Fragment,
    final_observations: Vec<f32>,
    final_state: Vec<f32>,
    observation: usize,
    energy: Option<EnergySampling>,
}

/// What a worker measures of the network's energy.
#[derive(Clone, Debug, Default)]
pub struct EnergySampling {
    /// `[O]`, 0 for inputs left out.
    pub input_mask: Option<Vec<f32>>,
}

impl Worker {
    /// A worker whose environments stand at the first step of their first episode.
    ///
    /// # Errors
    /// Fails where an environment cannot be reset.
    pub fn new(mut group: EnvGroup, mut fragment: Fragment, seed: u64, state: usize) -> Result<Self> {
        let (batch, observation) = (group.len(), group.observation_space().len());
        let streams = (0..batch).map(|i| Stream::new(seed, Purpose::Actions, (group.first() + i) as u64)).collect();
        let next = fragment.steps * batch * observation;
        group.reset(ObservationMut::F32(&mut fragment.observations[next..]))?;
        Ok(Self {
            group,
            streams,
            episode_starts: vec![1; batch],
            state: vec![0.0; batch * state],
            fragment,
            final_observations: vec![0.0; batch * observation],
            final_state: vec![0.0; batch * state],
            observation,
            energy: None,
        })
    }

    /// Turns energy measurement on or off.
    pub fn set_energy(&mut self, energy: Option<EnergySampling>) {
        self.energy = energy;
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

    /// Lives one fragment under `policy` and leaves it in [`Worker::fragment`].
    ///
    /// # Errors
    /// Fails where an environment does.
    pub fn collect(&mut self, policy: &PreparedPolicy<'_>) -> Result<()> {
        let distribution = policy.policy().distribution();
        let Fragment { steps, batch, sequence_length, .. } = self.fragment;
        let (row, state_row) = (batch * self.observation, self.state.len());
        let fragment = &mut self.fragment;
        fragment.episodes.clear();
        fragment.energy = (0.0, 0);
        fragment.observations.copy_within(steps * row.., 0);

        let mut session = policy.session(batch)?;
        session.load(&self.state)?;
        for t in 0..steps {
            if t % sequence_length == 0 {
                let start = t / sequence_length * state_row;
                session.store(&mut fragment.sequence_states[start..start + state_row])?;
            }
            let now = t * batch..(t + 1) * batch;
            let (lived, ahead) = fragment.observations.split_at_mut((t + 1) * row);
            let observations = &lived[t * row..];
            fragment.episode_starts[now.clone()].copy_from_slice(&self.episode_starts);

            match &self.energy {
                Some(energy) if t % ENERGY_EVERY == 0 => {
                    session.step_with_energy(observations, &self.episode_starts, energy.input_mask.as_deref())?;
                    if !session.energy().is_empty() {
                        let sum: f64 = session.energy().iter().map(|&e| f64::from(e)).sum();
                        fragment.energy.0 += sum / (session.energy().len() / batch) as f64;
                        fragment.energy.1 += batch as u64;
                    }
                }
                _ => session.step(observations, &self.episode_starts)?,
            }
            fragment.values[now.clone()].copy_from_slice(session.values());
            for (i, stream) in self.streams.iter_mut().enumerate() {
                fragment.log_probs[now.start + i] =
                    distribution.act(session.policy(i), Some(stream), &mut fragment.actions, now.start + i);
            }

            let mut transition = Transition {
                observations: ObservationMut::F32(&mut ahead[..row]),
                final_observations: ObservationMut::F32(&mut self.final_observations),
                rewards: &mut fragment.rewards[now.clone()],
                terminated: &mut fragment.terminated[now.clone()],
                truncated: &mut fragment.truncated[now.clone()],
            };
            self.group.step(fragment.actions.slice(now.start, batch), &mut transition)?;

            fragment.final_values[now.clone()].fill(0.0);
            let truncated = |i: usize| fragment.truncated[now.start + i] && !fragment.terminated[now.start + i];
            if (0..batch).any(truncated) {
                session.store(&mut self.final_state)?;
                let values = peek(policy, &self.final_state, &self.final_observations, batch)?;
                for i in (0..batch).filter(|&i| truncated(i)).collect::<Vec<_>>() {
                    fragment.final_values[now.start + i] = values[i];
                }
            }
            for (i, start) in self.episode_starts.iter_mut().enumerate() {
                *start = u8::from(fragment.terminated[now.start + i] || fragment.truncated[now.start + i]);
            }
        }
        session.store(&mut self.state)?;
        let mut ahead = policy.session(batch)?;
        ahead.load(&self.state)?;
        ahead.step(&fragment.observations[steps * row..], &self.episode_starts)?;
        fragment.last_values.copy_from_slice(ahead.values());
        fragment.episodes.extend(self.group.drain_episodes());
        Ok(())
    }

    /// Appends everything needed to continue but the recurrent state and the next observations.
    ///
    /// # Errors
    /// Fails where an environment cannot be saved.
    pub fn save(&self, saved: &mut SavedWorker) -> Result<()> {
        saved.environments.clear();
        self.group.save_state(&mut saved.environments)?;
        saved.streams.clone_from(&self.streams);
        saved.episode_starts.clone_from(&self.episode_starts);
        saved.state.clone_from(&self.state);
        let next = self.fragment.observations.len() - self.final_observations.len();
        saved.observations.clear();
        saved.observations.extend_from_slice(&self.fragment.observations[next..]);
        Ok(())
    }

    /// Takes over what [`Worker::save`] wrote in a worker of the same configuration.
    ///
    /// # Errors
    /// Fails on extents that do not fit or an environment that refuses its state.
    pub fn restore(&mut self, saved: &SavedWorker) -> Result<()> {
        let fits = [
            ("action streams", saved.streams.len(), self.streams.len()),
            ("episode starts", saved.episode_starts.len(), self.episode_starts.len()),
            ("recurrent state", saved.state.len(), self.state.len()),
            ("observations", saved.observations.len(), self.final_observations.len()),
        ];
        for (what, got, expected) in fits {
            if got != expected {
                let problem = format!("saved {what} has {got} elements where the configuration needs {expected}");
                return Err(Error::config("checkpoint", problem));
            }
        }
        self.group.restore_state(&saved.environments)?;
        self.streams.clone_from(&saved.streams);
        self.episode_starts.clone_from(&saved.episode_starts);
        self.state.clone_from(&saved.state);
        let next = self.fragment.observations.len() - self.final_observations.len();
        self.fragment.observations[next..].copy_from_slice(&saved.observations);
        Ok(())
    }
}

/// Everything a worker needs to continue exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedWorker {
    /// The environments' own bytes.
    pub environments: Vec<u8>,
    /// `[B]` action streams.
    pub streams: Vec<Stream>,
    /// `[B]`
    pub episode_starts: Vec<u8>,
    /// `[B, S]`
    pub state: Vec<f32>,
    /// `[B, O]` the observations to act on next.
    pub observations: Vec<f32>,
}

/// Values of `observations` from recurrent states `state`, in a session of its own: the worker's never advances.
fn peek(policy: &PreparedPolicy<'_>, state: &[f32], observations: &[f32], batch: usize) -> Result<Vec<f32>> {
    let mut session: Session<'_> = policy.session(batch)?;
    session.load(state)?;
    session.step(observations, &vec![0; batch])?;
    Ok(session.values().to_vec())
}
