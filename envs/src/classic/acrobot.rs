//! Two links swung up by a motor between them (Sutton 1996), Gymnasium's `Acrobot-v1`.

use std::f64::consts::{PI, TAU};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Dynamics;
use crate::wrappers::TimeLimit;
use crate::{Action, Dtype, Result, RulesEnv, Space};

const GRAVITY: f64 = 9.8;
const MAX_SPEED: [f64; 2] = [4.0 * PI, 9.0 * PI];
/// Seconds of one step.
const DT: f64 = 0.2;
/// Both links have mass 1, length 1 and the moment of inertia 1 about their centres, which lie half way.
const CENTRE: f64 = 0.5;

/// The equations of the acrobot. State: θ₁ (0 hanging down), θ₂ (relative to the first link), θ̇₁, θ̇₂.
///
/// Actions: torque −1, 0 or 1 on the joint between the links. Terminated where the tip is more than a link's length
/// above the axle, −cos θ₁ − cos(θ₁+θ₂) > 1; reward −1 a step, 0 for the one that gets there. The start state is uniform
/// in ±0.1; observation cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ̇₁, θ̇₂. One step of the classical Runge–Kutta method.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acrobot;

/// d/dt of the state, the equations of motion of Sutton and Barto's book (1998, figure 11.4).
fn derivative([theta1, theta2, speed1, speed2]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin2, cos2) = theta2.sin_cos();
    let inertia1 = CENTRE * CENTRE + (1.0 + CENTRE * CENTRE + 2.0 * CENTRE * cos2) + 2.0;
    let inertia12 = CENTRE * CENTRE + CENTRE * cos2 + 1.0;
    let inertia2 = CENTRE * CENTRE + 1.0;
    // cos(θ − π/2) is sin θ.
    let phi2 = CENTRE * GRAVITY * (theta1 + theta2).sin();
    let phi1 = -CENTRE * speed2 * speed2 * sin2 - 2.0 * CENTRE * speed2 * speed1 * sin2
        + (CENTRE + 1.0) * GRAVITY * theta1.sin()
        + phi2;
    let acceleration2 = (torque + inertia12 / inertia1 * phi1 - CENTRE * speed1 * speed1 * sin2 - phi2)
        / (inertia2 - inertia12 * inertia12 / inertia1);
    let acceleration1 = -(inertia12 * acceleration2 + phi1) / inertia1;
    [speed1, speed2, acceleration1, acceleration2]
}

/// One step of the classical fourth-order Runge–Kutta method under a constant torque.
fn runge_kutta(state: [f64; 4], torque: f64) -> [f64; 4] {
    let moved = |slope: [f64; 4], time: f64| -> [f64; 4] { std::array::from_fn(|i| state[i] + time * slope[i]) };
    let k1 = derivative(state, torque);
    let k2 = derivative(moved(k1, DT / 2.0), torque);
    let k3 = derivative(moved(k2, DT / 2.0), torque);
    let k4 = derivative(moved(k3, DT), torque);
    std::array::from_fn(|i| state[i] + DT / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]))
}

/// The angle brought into [−π, π] by whole turns.
fn wrapped(angle: f64) -> f64 {
    if (-PI..=PI).contains(&angle) { angle } else { (angle + PI).rem_euclid(TAU) - PI }
}

impl Dynamics for Acrobot {
    type State = [f64; 4];

    const NAME: &'static str = "acrobot";

    fn observation_space(&self) -> Space {
        let high = vec![1.0, 1.0, 1.0, 1.0, MAX_SPEED[0] as f32, MAX_SPEED[1] as f32];
        let low = high.iter().map(|bound| -bound).collect();
        Space::Box { low, high, shape: vec![6], dtype: Dtype::F32 }
    }

    fn action_space(&self) -> Space {
        Space::discrete(3)
    }

    fn start(&self, stream: &mut Stream) -> [f64; 4] {
        std::array::from_fn(|_| stream.uniform(-0.1, 0.1))
    }

    fn step(&self, state: &mut [f64; 4], action: Action<'_>) -> Result<(f64, bool)> {
        let torque = action.discrete(3)? as f64 - 1.0;
        let [theta1, theta2, speed1, speed2] = runge_kutta(*state, torque);
        *state = [
            wrapped(theta1),
            wrapped(theta2),
            speed1.clamp(-MAX_SPEED[0], MAX_SPEED[0]),
            speed2.clamp(-MAX_SPEED[1], MAX_SPEED[1]),
        ];
        let up = -state[0].cos() - (state[0] + state[1]).cos() > 1.0;
        Ok((if up { 0.0 } else { -1.0 }, up))
    }

    fn observe(&self, state: &[f64; 4], observation: &mut [f32]) {
        let ((sin1, cos1), (sin2, cos2)) = (state[0].sin_cos(), state[1].sin_cos());
        let seen = [cos1, sin1, cos2, sin2, state[2], state[3]].map(|number| number as f32);
        observation.copy_from_slice(&seen);
    }
}

/// Settings of `acrobot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AcrobotConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 500.
    pub max_episode_steps: u32,
}

impl Default for AcrobotConfig {
    fn default() -> Self {
        Self { max_episode_steps: 500 }
    }
}

impl AcrobotConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<TimeLimit<RulesEnv<Acrobot>>> {
        TimeLimit::new(RulesEnv::new(Acrobot), self.max_episode_steps)
    }
}
