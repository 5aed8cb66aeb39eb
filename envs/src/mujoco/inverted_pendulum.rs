//! A pole balanced on a cart, Gymnasium's `InvertedPendulum-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::writer::Writer;
use super::{MujocoEnv, Simulation, Task, checks, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// The pole's angle beyond which it has fallen, in radians.
const FALLEN: f64 = 0.2;

/// The rules: reward 1 a step, terminated where the pole's angle passes ±0.2 or a number is not finite, without reward
/// for that step. Observation: positions and velocities of cart and pole, 4 numbers. Action: a force on the cart.
#[derive(Clone, Debug)]
pub struct InvertedPendulum {
    reset_noise_scale: f64,
}

impl Task for InvertedPendulum {
    const NAME: &'static str = "inverted-pendulum";
    const DERIVES_AT_START: bool = false;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        simulation.positions().len() + simulation.velocities().len()
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.reset_noise_scale, stream);
        noise::uniform(velocities, self.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let mut writer = Writer::new(observation);
        writer.put(simulation.positions());
        writer.put(simulation.velocities());
    }

    fn outcome(&self, _simulation: &Simulation, _action: &[f32], _speed: f64, observation: &[f64]) -> (f64, bool) {
        let finite = observation.iter().all(|number| number.is_finite());
        let terminated = !finite || observation[1].abs() > FALLEN;
        (f64::from(!terminated), terminated)
    }
}

/// Settings of `inverted-pendulum`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvertedPendulumConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 2.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Start positions and velocities are uniform in ± this. Gymnasium: 0.01.
    pub reset_noise_scale: f64,
}

impl Default for InvertedPendulumConfig {
    fn default() -> Self {
        Self { max_episode_steps: 1000, frame_skip: 2, xml_file: None, reset_noise_scale: 0.01 }
    }
}

impl InvertedPendulumConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<InvertedPendulum>>> {
        checks::noise(self.reset_noise_scale)?;
        let setup = Setup {
            model: &model::INVERTED_PENDULUM,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(InvertedPendulum::NAME, 2, 0, 0)?;
            Ok(InvertedPendulum { reset_noise_scale: self.reset_noise_scale })
        })
    }
}
