//! What a worker writes down, so that another one goes on from there.

use stpn_random::Stream;

use super::Worker;
use crate::rollout::{CorrelatedNoise, Observations};
use crate::{Error, Result};

impl Worker {
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
