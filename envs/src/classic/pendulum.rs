//! A pendulum swung up by a weak motor, Gymnasium's `Pendulum-v1`.

use std::f64::consts::{PI, TAU};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Dynamics;
use crate::wrappers::{Mask, TimeLimit};
use crate::{Action, Dtype, Error, Result, RulesEnv, Space};

const MAX_SPEED: f64 = 8.0;
const MAX_TORQUE: f32 = 2.0;
/// Gymnasium's acceleration of gravity.
const GRAVITY: f64 = 10.0;
/// Seconds of one step.
const DT: f64 = 0.05;

/// The equations of a rod of mass 1 and length 1 with a motor at its end. State: θ (0 upright), θ̇.
///
/// The action is a torque, clipped to ±2. Reward −(θ² + 0.1 θ̇² + 0.001 u²) with θ in [−π, π), of the state before the
/// step. Never terminated. The start state is uniform in ±π and ±1, the observation cos θ, sin θ, θ̇.
#[derive(Clone, Copy, Debug)]
pub struct Pendulum {
    gravity: f64,
}

impl Default for Pendulum {
    fn default() -> Self {
        Self { gravity: GRAVITY }
    }
}

impl Dynamics for Pendulum {
    type State = [f64; 2];

    const NAME: &'static str = "pendulum";

    fn observation_space(&self) -> Space {
        let high = vec![1.0, 1.0, MAX_SPEED as f32];
        let low = high.iter().map(|bound| -bound).collect();
        Space::Box { low, high, shape: vec![3], dtype: Dtype::F32 }
    }

    fn action_space(&self) -> Space {
        Space::boxed(-MAX_TORQUE, MAX_TORQUE, [1])
    }

    fn start(&self, stream: &mut Stream) -> [f64; 2] {
        [stream.uniform(-PI, PI), stream.uniform(-1.0, 1.0)]
    }

    fn step(&self, state: &mut [f64; 2], action: Action<'_>) -> Result<(f64, bool)> {
        let torque = action.continuous(1)?[0].clamp(-MAX_TORQUE, MAX_TORQUE);
        let [theta, speed] = *state;
        let from_upright = (theta + PI).rem_euclid(TAU) - PI;
        // The torque's own terms are rounded to 32 bits, as in Gymnasium, whose actions are 32-bit: near the upright
        // position the difference would grow to more than 1e-6 within an episode.
        let cost = from_upright * from_upright + 0.1 * speed * speed + f64::from(0.001 * (torque * torque));
        // A rod of mass m and length l turning round its end has the moment of inertia ml²/3. The angle moves with
        // the new speed.
        let acceleration = 1.5 * self.gravity * theta.sin() + f64::from(3.0 * torque);
        let speed = (speed + acceleration * DT).clamp(-MAX_SPEED, MAX_SPEED);
        *state = [theta + speed * DT, speed];
        Ok((-cost, false))
    }

    fn observe(&self, state: &[f64; 2], observation: &mut [f32]) {
        let (sin, cos) = state[0].sin_cos();
        observation.copy_from_slice(&[cos as f32, sin as f32, state[1] as f32]);
    }
}

/// Settings of `pendulum` and `pendulum-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PendulumConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 200.
    pub max_episode_steps: u32,
    /// Acceleration of gravity, finite. Gymnasium: 10.
    pub gravity: f64,
}

impl Default for PendulumConfig {
    fn default() -> Self {
        Self { max_episode_steps: 200, gravity: GRAVITY }
    }
}

impl PendulumConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<TimeLimit<RulesEnv<Pendulum>>> {
        if !self.gravity.is_finite() {
            let (key, value) = ("gravity", self.gravity.to_string());
            return Err(Error::Config { key, value, allowed: "a finite number".into() });
        }
        TimeLimit::new(RulesEnv::new(Pendulum { gravity: self.gravity }), self.max_episode_steps)
    }

    /// `pendulum-masked`: the same with the angle alone observed, the velocity hidden.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn make_masked(&self) -> Result<Mask<TimeLimit<RulesEnv<Pendulum>>>> {
        Mask::new(self.make()?, "pendulum-masked", [0, 1])
    }
}
