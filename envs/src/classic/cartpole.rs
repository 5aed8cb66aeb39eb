//! A pole balanced on a cart (Barto, Sutton and Anderson 1983), Gymnasium's `CartPole-v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Dynamics;
use crate::wrappers::{Mask, TimeLimit};
use crate::{Action, Dtype, Result, RulesEnv, Space};

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.0 + POLE_MASS;
/// Half the pole's length.
const LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
/// Seconds of one step.
const TAU: f64 = 0.02;
const X_LIMIT: f64 = 2.4;
const THETA_LIMIT: f64 = 12.0 * std::f64::consts::PI / 180.0;

/// The equations of the cart and pole. State: x, ẋ, θ, θ̇ (θ = 0 upright).
///
/// Action 0 pushes to the left, 1 to the right. Reward 1 a step; terminated where |x| > 2.4 or |θ| > 12°. The start
/// state is uniform in ±0.05, the observation the state.
#[derive(Clone, Copy, Debug, Default)]
pub struct CartPole;

impl Dynamics for CartPole {
    type State = [f64; 4];

    const NAME: &'static str = "cartpole";

    fn observation_space(&self) -> Space {
        let high = vec![(2.0 * X_LIMIT) as f32, f32::INFINITY, (2.0 * THETA_LIMIT) as f32, f32::INFINITY];
        let low = high.iter().map(|bound| -bound).collect();
        Space::Box { low, high, shape: vec![4], dtype: Dtype::F32 }
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn start(&self, stream: &mut Stream) -> [f64; 4] {
        std::array::from_fn(|_| stream.uniform(-0.05, 0.05))
    }

    fn step(&self, state: &mut [f64; 4], action: Action<'_>) -> Result<(f64, bool)> {
        let force = if action.discrete(2)? == 1 { FORCE } else { -FORCE };
        let [x, x_dot, theta, theta_dot] = *state;
        let (sin, cos) = theta.sin_cos();
        // What accelerates the cart if the pole did not turn faster or slower.
        let push = (force + POLE_MASS * LENGTH * theta_dot * theta_dot * sin) / TOTAL_MASS;
        let theta_acceleration =
            (GRAVITY * sin - cos * push) / (LENGTH * (4.0 / 3.0 - POLE_MASS * cos * cos / TOTAL_MASS));
        let x_acceleration = push - POLE_MASS * LENGTH * theta_acceleration * cos / TOTAL_MASS;
        // Explicit Euler: positions move with the old velocities.
        *state = [
            x + TAU * x_dot,
            x_dot + TAU * x_acceleration,
            theta + TAU * theta_dot,
            theta_dot + TAU * theta_acceleration,
        ];
        let fallen = state[0].abs() > X_LIMIT || state[2].abs() > THETA_LIMIT;
        Ok((1.0, fallen))
    }

    fn observe(&self, state: &[f64; 4], observation: &mut [f32]) {
        observation.iter_mut().zip(state).for_each(|(seen, &number)| *seen = number as f32);
    }
}

/// Settings of `cartpole` and `cartpole-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CartPoleConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 500.
    pub max_episode_steps: u32,
}

impl Default for CartPoleConfig {
    fn default() -> Self {
        Self { max_episode_steps: 500 }
    }
}

impl CartPoleConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<TimeLimit<RulesEnv<CartPole>>> {
        TimeLimit::new(RulesEnv::new(CartPole), self.max_episode_steps)
    }

    /// `cartpole-masked`: the same with x and θ alone observed, the velocities hidden.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings.
    pub fn make_masked(&self) -> Result<Mask<TimeLimit<RulesEnv<CartPole>>>> {
        Mask::new(self.make()?, "cartpole-masked", [0, 2])
    }
}
