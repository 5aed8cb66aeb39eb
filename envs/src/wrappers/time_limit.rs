//! A limit on the steps of an episode.

use std::time::Duration;

use crate::{Action, Env, Error, ObservationMut, Result, Screen, Space, Step, state};

/// Truncates every episode after a number of steps, as `gymnasium.wrappers.TimeLimit` does.
///
/// Where the task ends on the very step that reaches the limit, the step is both terminated and truncated.
#[derive(Debug)]
pub struct TimeLimit<E> {
    env: E,
    limit: u32,
    elapsed: u32,
}

impl<E: Env> TimeLimit<E> {
    /// Episodes of at most `limit` steps.
    ///
    /// # Errors
    /// [`Error::Config`] for a limit of 0, under the key `max_episode_steps`.
    pub fn new(env: E, limit: u32) -> Result<Self> {
        if limit == 0 {
            let (key, value) = ("max_episode_steps", "0".into());
            return Err(Error::Config { key, value, allowed: "at least 1".into() });
        }
        Ok(Self { env, limit, elapsed: 0 })
    }

    /// Steps of this episode so far.
    pub fn elapsed(&self) -> u32 {
        self.elapsed
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }

    /// The environment inside, to set its state; steps taken there are not counted here.
    pub fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }
}

impl<E: Env> Env for TimeLimit<E> {
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
        self.elapsed = 0;
        self.env.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        if self.elapsed == self.limit {
            return Err(Error::ResetNeeded { environment: self.name().into() });
        }
        let mut step = self.env.step(action, observation)?;
        self.elapsed += 1;
        step.truncated |= self.elapsed == self.limit;
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
        state::save(self.name(), &self.elapsed, bytes)?;
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let (elapsed, inner) = state::split(self.name(), bytes)?;
        if elapsed > self.limit {
            return Err(state::refused(self.name(), format_args!("step {elapsed} of at most {}", self.limit)));
        }
        self.env.restore_state(inner)?;
        self.elapsed = elapsed;
        Ok(())
    }

    fn records_episodes(&self) -> bool {
        self.env.records_episodes()
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
