//! A car too weak to climb a hill without a run-up (Moore 1990), Gymnasium's `MountainCar-v0`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Dynamics;
use crate::wrappers::TimeLimit;
use crate::{Action, Dtype, Error, Result, RulesEnv, Space};

pub(super) const MIN_POSITION: f64 = -1.2;
pub(super) const MAX_POSITION: f64 = 0.6;
pub(super) const MAX_SPEED: f64 = 0.07;
pub(super) const GRAVITY: f64 = 0.0025;
const FORCE: f64 = 0.001;
const GOAL: f64 = 0.5;

/// The equations of a car in a valley of height sin 3x. State: position, velocity.
///
/// Actions: 0 push left, 1 none, 2 push right. Reward −1 a step; terminated at position 0.5 or beyond. The start
/// position is uniform in [−0.6, −0.4], at rest; the observation is the state.
#[derive(Clone, Copy, Debug)]
pub struct MountainCar {
    goal_velocity: f64,
}

/// One step of a car pushed with `push`, an acceleration: the velocity first, then the position, both clipped; the
/// left wall stops the car.
fn roll([position, velocity]: [f64; 2], push: f64) -> [f64; 2] {
    let velocity = (velocity + push - (3.0 * position).cos() * GRAVITY).clamp(-MAX_SPEED, MAX_SPEED);
    let position = (position + velocity).clamp(MIN_POSITION, MAX_POSITION);
    let stopped = position == MIN_POSITION && velocity < 0.0;
    [position, if stopped { 0.0 } else { velocity }]
}

/// Position and velocity within their limits.
pub(super) fn observation_space() -> Space {
    let low = vec![MIN_POSITION as f32, -MAX_SPEED as f32];
    let high = vec![MAX_POSITION as f32, MAX_SPEED as f32];
    Space::Box { low, high, shape: vec![2], dtype: Dtype::F32 }
}

/// At rest near the bottom of the valley.
pub(super) fn start(stream: &mut Stream) -> [f64; 2] {
    [stream.uniform(-0.6, -0.4), 0.0]
}

/// Refuses a goal velocity that no car reaches.
pub(super) fn check_goal_velocity(goal_velocity: f64) -> Result<()> {
    if (0.0..=MAX_SPEED).contains(&goal_velocity) {
        return Ok(());
    }
    let (key, value) = ("goal_velocity", goal_velocity.to_string());
    Err(Error::Config { key, value, allowed: format!("0 to {MAX_SPEED}, the highest speed") })
}

impl Dynamics for MountainCar {
    type State = [f64; 2];

    const NAME: &'static str = "mountain-car";

    fn observation_space(&self) -> Space {
        observation_space()
    }

    fn action_space(&self) -> Space {
        Space::discrete(3)
    }

    fn start(&self, stream: &mut Stream) -> [f64; 2] {
        start(stream)
    }

    fn step(&self, state: &mut [f64; 2], action: Action<'_>) -> Result<(f64, bool)> {
        let direction = action.discrete(3)? as f64 - 1.0;
        *state = roll(*state, direction * FORCE);
        Ok((-1.0, state[0] >= GOAL && state[1] >= self.goal_velocity))
    }

    fn observe(&self, state: &[f64; 2], observation: &mut [f32]) {
        observation.iter_mut().zip(state).for_each(|(seen, &number)| *seen = number as f32);
    }
}

/// Settings of `mountain-car`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MountainCarConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 200.
    pub max_episode_steps: u32,
    /// Least velocity at which the goal counts as reached, 0 to 0.07. Gymnasium: 0.
    pub goal_velocity: f64,
}

impl Default for MountainCarConfig {
    fn default() -> Self {
        Self { max_episode_steps: 200, goal_velocity: 0.0 }
    }
}

impl MountainCarConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<TimeLimit<RulesEnv<MountainCar>>> {
        check_goal_velocity(self.goal_velocity)?;
        let car = MountainCar { goal_velocity: self.goal_velocity };
        TimeLimit::new(RulesEnv::new(car), self.max_episode_steps)
    }
}
