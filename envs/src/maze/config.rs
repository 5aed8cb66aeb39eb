//! Settings of the maze.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Settings of the maze; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MazeConfig {
    /// Rows and columns of the grid, outer walls included: odd, 5 to 99. Published: 13.
    pub size: usize,
    /// Steps of every episode, at least 1. Published: 200.
    pub episode_length: u32,
    /// Reward for reaching the goal, above 0. Published: 10.
    pub reward: f64,
    /// Subtracted from the reward of a step into a wall, at least 0. Published: 0.
    pub wall_penalty: f64,
    /// How many cells the agent sees in every direction: 1 to size − 1. Published: 1, a 3×3 patch.
    pub view_radius: usize,
}

impl Default for MazeConfig {
    fn default() -> Self {
        Self { size: 13, episode_length: 200, reward: 10.0, wall_penalty: 0.0, view_radius: 1 }
    }
}

impl MazeConfig {
    /// Refuses impossible settings.
    ///
    /// # Errors
    /// [`Error::Config`] with the key, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let Self { size, episode_length, reward, wall_penalty, view_radius } = *self;
        let refuse = |key, value: String, allowed: String| Err(Error::Config { key, value, allowed });
        if size.is_multiple_of(2) || !(5..=99).contains(&size) {
            return refuse("size", size.to_string(), "an odd number from 5 to 99".into());
        }
        if episode_length == 0 {
            return refuse("episode_length", "0".into(), "at least 1".into());
        }
        if !(reward > 0.0 && (reward as f32).is_finite()) {
            return refuse("reward", reward.to_string(), "a finite number above 0".into());
        }
        if !(wall_penalty >= 0.0 && (wall_penalty as f32).is_finite()) {
            return refuse("wall_penalty", wall_penalty.to_string(), "a finite number, 0 or above".into());
        }
        if !(1..size).contains(&view_radius) {
            return refuse("view_radius", view_radius.to_string(), format!("1 to {}, one less than size", size - 1));
        }
        Ok(())
    }

    /// Side of the patch of walls that the agent sees.
    pub fn view_side(&self) -> usize {
        2 * self.view_radius + 1
    }

    /// Length of an observation: (2r+1)² + 8.
    pub fn observation_len(&self) -> usize {
        self.view_side() * self.view_side() + 8
    }

    /// Index of the last step's reward in the observation, the input that the published energy leaves out.
    pub fn reward_index(&self) -> usize {
        self.view_side() * self.view_side() + 3
    }
}
