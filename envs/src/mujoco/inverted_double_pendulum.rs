//! Two poles, one on the other, balanced on a cart: Gymnasium's `InvertedDoublePendulum-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::writer::Writer;
use super::{MujocoEnv, Simulation, Task, checks, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// The rules: a reward for staying up, less 0.01 x² + (y − 2)² of the upper pole's tip and 10⁻³ ω₁² + 5·10⁻³ ω₂² of the
/// poles' angular velocities; terminated where the tip is at most 1 high. Observation, 9 numbers: the cart's position,
/// sines and cosines of the angles, velocities and the constraint force on the cart, the last two clipped to ±10.
/// Action: a force on the cart.
#[derive(Clone, Debug)]
pub struct InvertedDoublePendulum {
    healthy_reward: f64,
    reset_noise_scale: f64,
}

impl Task for InvertedDoublePendulum {
    const NAME: &'static str = "inverted-double-pendulum";
    const DERIVES_AT_START: bool = true;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        2 * simulation.positions().len() + simulation.velocities().len()
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.reset_noise_scale, stream);
        noise::normal(velocities, self.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let (cart, angles) = simulation.positions().split_at(1);
        let clip = |number: f64| number.clamp(-10.0, 10.0);
        let mut writer = Writer::new(observation);
        writer.put(cart);
        writer.put_with(angles, f64::sin);
        writer.put_with(angles, f64::cos);
        writer.put_with(simulation.velocities(), clip);
        writer.put_with(&simulation.data().qfrc_constraint()[..1], clip);
    }

    fn outcome(&self, simulation: &Simulation, _action: &[f32], _speed: f64, _observation: &[f64]) -> (f64, bool) {
        let [x, _, y] = simulation.data().site_xpos()[0];
        let (lower, upper) = (simulation.velocities()[1], simulation.velocities()[2]);
        let terminated = y <= 1.0;
        let alive = if terminated { 0.0 } else { self.healthy_reward };
        let distance = 0.01 * x.powi(2) + (y - 2.0).powi(2);
        let velocity = 1e-3 * lower.powi(2) + 5e-3 * upper.powi(2);
        (alive - distance - velocity, terminated)
    }
}

/// Settings of `inverted-double-pendulum`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvertedDoublePendulumConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 5.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Reward of a step after which the tip is high enough. Gymnasium: 10.
    pub healthy_reward: f64,
    /// Start positions are uniform in ± this, start velocities normal with this deviation. Gymnasium: 0.1.
    pub reset_noise_scale: f64,
}

impl Default for InvertedDoublePendulumConfig {
    fn default() -> Self {
        Self { max_episode_steps: 1000, frame_skip: 5, xml_file: None, healthy_reward: 10.0, reset_noise_scale: 0.1 }
    }
}

impl InvertedDoublePendulumConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<InvertedDoublePendulum>>> {
        checks::noise(self.reset_noise_scale)?;
        checks::finite(&[("healthy_reward", self.healthy_reward)])?;
        let setup = Setup {
            model: &model::INVERTED_DOUBLE_PENDULUM,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(InvertedDoublePendulum::NAME, 1, 3, 1)?;
            let Self { healthy_reward, reset_noise_scale, .. } = *self;
            Ok(InvertedDoublePendulum { healthy_reward, reset_noise_scale })
        })
    }
}
