//! The mountain car with a continuous push, Gymnasium's `MountainCarContinuous-v0`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Dynamics;
use super::mountain_car::{
    GRAVITY, MAX_POSITION, MAX_SPEED, MIN_POSITION, check_goal_velocity, observation_space, start,
};
use crate::wrappers::{Mask, TimeLimit};
use crate::{Action, Result, RulesEnv, Space};

const POWER: f32 = 0.0015;
const GOAL: f64 = 0.45;

/// The equations of [`super::MountainCar`] with a stronger, continuous push and a nearer goal.
///
/// The push is clipped to ±1. Reward 100 for reaching position 0.45, where the episode terminates, less 0.1·action².
#[derive(Clone, Copy, Debug)]
pub struct MountainCarContinuous {
    goal_velocity: f64,
}

/// The equations of [`super::MountainCar`] in 32 bits: Gymnasium keeps this one state in single precision, and
/// with another rounding the two part by more than 1e-6 within an episode. Actions beyond the bounds may differ from
/// Gymnasium in the last bit of a step.
fn roll_single(state: [f64; 2], action: f32) -> [f32; 2] {
    let [position, velocity] = state.map(|number| number as f32);
    let slope = (f64::from(3.0 * position).cos() * GRAVITY) as f32;
    let velocity = (velocity + (action * POWER - slope)).clamp(-MAX_SPEED as f32, MAX_SPEED as f32);
    let position = (position + velocity).clamp(MIN_POSITION as f32, MAX_POSITION as f32);
    let stopped = position == MIN_POSITION as f32 && velocity < 0.0;
    [position, if stopped { 0.0 } else { velocity }]
}

impl Dynamics for MountainCarContinuous {
    type State = [f64; 2];

    const NAME: &'static str = "mountain-car-continuous";

    fn observation_space(&self) -> Space {
        observation_space()
    }

    fn action_space(&self) -> Space {
        Space::boxed(-1.0, 1.0, [1])
    }

    fn start(&self, stream: &mut Stream) -> [f64; 2] {
        start(stream)
    }

    fn step(&self, state: &mut [f64; 2], action: Action<'_>) -> Result<(f64, bool)> {
        let action = action.continuous(1)?[0];
        *state = roll_single(*state, action.clamp(-1.0, 1.0)).map(f64::from);
        let arrived = state[0] >= GOAL && state[1] >= self.goal_velocity;
        let bonus = if arrived { 100.0 } else { 0.0 };
        Ok((bonus - 0.1 * f64::from(action) * f64::from(action), arrived))
    }

    fn observe(&self, state: &[f64; 2], observation: &mut [f32]) {
        observation.iter_mut().zip(state).for_each(|(seen, &number)| *seen = number as f32);
    }
}

/// Settings of `mountain-car-continuous` and `mountain-car-continuous-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MountainCarContinuousConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 999.
    pub max_episode_steps: u32,
    /// Least velocity at which the goal counts as reached, 0 to 0.07. Gymnasium: 0.
    pub goal_velocity: f64,
}

impl Default for MountainCarContinuousConfig {
    fn default() -> Self {
        Self { max_episode_steps: 999, goal_velocity: 0.0 }
    }
}

impl MountainCarContinuousConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<TimeLimit<RulesEnv<MountainCarContinuous>>> {
        check_goal_velocity(self.goal_velocity)?;
        let car = MountainCarContinuous { goal_velocity: self.goal_velocity };
        TimeLimit::new(RulesEnv::new(car), self.max_episode_steps)
    }

    /// `mountain-car-continuous-masked`: the same with the position alone observed, the velocity hidden.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings.
    pub fn make_masked(&self) -> Result<Mask<TimeLimit<RulesEnv<MountainCarContinuous>>>> {
        Mask::new(self.make()?, "mountain-car-continuous-masked", [0])
    }
}
