//! Rewards brought into a range.

use std::time::Duration;

use crate::{Action, Env, Error, ObservationMut, Result, Screen, Space, Step};

/// Clips rewards, for learning only: put [`super::RecordEpisodeStatistics`] inside to report the raw ones.
#[derive(Debug)]
pub struct RewardClip<E> {
    env: E,
    clip: Clip,
}

#[derive(Clone, Copy, Debug)]
enum Clip {
    Sign,
    Range(f64, f64),
}

impl<E: Env> RewardClip<E> {
    /// −1, 0 or 1: the reward's sign, as for Atari (Mnih et al. 2015).
    pub fn sign(env: E) -> Self {
        Self { env, clip: Clip::Sign }
    }

    /// At least `low` and at most `high`.
    ///
    /// # Errors
    /// [`Error::Config`], key `reward_clip`, where `low` is not below `high`.
    pub fn range(env: E, low: f64, high: f64) -> Result<Self> {
        if low < high {
            return Ok(Self { env, clip: Clip::Range(low, high) });
        }
        let (key, value) = ("reward_clip", format!("[{low}, {high}]"));
        Err(Error::Config { key, value, allowed: "a lower bound below the upper one".into() })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for RewardClip<E> {
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
        self.env.reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let mut step = self.env.step(action, observation)?;
        step.reward = match self.clip {
            // Not `signum`, which gives 1 for 0. NaN stays NaN, for the vector to report.
            Clip::Sign if step.reward == 0.0 => 0.0,
            Clip::Sign => step.reward.signum(),
            Clip::Range(low, high) => step.reward.clamp(low, high),
        };
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
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.env.restore_state(bytes)
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
