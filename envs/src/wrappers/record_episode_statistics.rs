//! Return and length of whole episodes.

use std::time::Duration;

use crate::{Action, Env, Episode, ObservationMut, Result, Screen, Space, Step, state};

/// Adds up rewards and steps as the environment inside gives them, and sets [`Step::episode`] if an episode ends.
///
/// Vectors count episodes by themselves; this is for what comes between: inside [`super::RewardClip`] the returns
/// are the raw ones, and inside a wrapper that ends training episodes early (a lost life) the episodes are whole
/// games.
#[derive(Debug)]
pub struct RecordEpisodeStatistics<E> {
    env: E,
    running: Episode,
}

impl<E: Env> RecordEpisodeStatistics<E> {
    /// Records the episodes of `env`.
    pub fn new(env: E) -> Self {
        Self { env, running: Episode::default() }
    }

    /// The episode so far.
    pub fn running(&self) -> Episode {
        self.running
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for RecordEpisodeStatistics<E> {
    fn name(&self) -> &str {
        self.env.name()
    }

    fn observation_space(&self) -> &Space {
        self.env.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        self.running = Episode::default();
        self.env.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let mut step = self.env.step(action, observation)?;
        self.running.total_reward += step.reward;
        self.running.length += 1;
        if step.done() {
            step.episode = Some(self.running);
        }
        Ok(step)
    }

    fn lost_its_episode(&self) -> bool {
        self.env.lost_its_episode()
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        self.env.begin_step(action)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        self.env.limit_calls(limit)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(self.name(), &self.running, bytes)?;
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let (running, inner) = state::split(self.name(), bytes)?;
        self.env.restore_state(inner)?;
        self.running = running;
        Ok(())
    }

    fn records_episodes(&self) -> bool {
        true
    }

    fn oracle_return(&self) -> Option<f64> {
        self.env.oracle_return()
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
