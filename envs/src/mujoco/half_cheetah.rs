//! Two legs and a back that run forward in a plane, Gymnasium's `HalfCheetah-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::writer::Writer;
use super::{MujocoEnv, Simulation, Task, checks, locomotion, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// The rules: reward = forward speed − cost of the controls; never terminated. Observation, 17 numbers: positions but
/// the first, velocities. Action: torques of thigh, shin and foot, back and front.
#[derive(Clone, Debug)]
pub struct HalfCheetah {
    config: HalfCheetahConfig,
}

impl Task for HalfCheetah {
    const NAME: &'static str = "half-cheetah";
    const DERIVES_AT_START: bool = false;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        locomotion::len(&locomotion::pose(simulation, 1, self.config.exclude_current_positions_from_observation))
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.config.reset_noise_scale, stream);
        noise::normal(velocities, self.config.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let pose = locomotion::pose(simulation, 1, self.config.exclude_current_positions_from_observation);
        let mut writer = Writer::new(observation);
        pose.into_iter().for_each(|part| writer.put(part));
    }

    fn progress(&self, simulation: &Simulation) -> f64 {
        simulation.positions()[0]
    }

    fn outcome(&self, _simulation: &Simulation, action: &[f32], speed: f64, _observation: &[f64]) -> (f64, bool) {
        let cost = locomotion::control_cost(self.config.ctrl_cost_weight, action);
        (self.config.forward_reward_weight * speed - cost, false)
    }
}

/// Settings of `half-cheetah`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HalfCheetahConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 5.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the forward speed. Gymnasium: 1.
    pub forward_reward_weight: f64,
    /// Weight of the squared action. Gymnasium: 0.1.
    pub ctrl_cost_weight: f64,
    /// Start positions differ from the default by uniform noise in ± this, start velocities by normal noise with this
    /// deviation. Gymnasium: 0.1.
    pub reset_noise_scale: f64,
    /// Whether to leave the distance covered out of observations. Gymnasium: true.
    pub exclude_current_positions_from_observation: bool,
}

impl Default for HalfCheetahConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 1000,
            frame_skip: 5,
            xml_file: None,
            forward_reward_weight: 1.0,
            ctrl_cost_weight: 0.1,
            reset_noise_scale: 0.1,
            exclude_current_positions_from_observation: true,
        }
    }
}

impl HalfCheetahConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<HalfCheetah>>> {
        checks::noise(self.reset_noise_scale)?;
        checks::finite(&[
            ("forward_reward_weight", self.forward_reward_weight),
            ("ctrl_cost_weight", self.ctrl_cost_weight),
        ])?;
        let setup = Setup {
            model: &model::HALF_CHEETAH,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(HalfCheetah::NAME, 1, 0, 0)?;
            Ok(HalfCheetah { config: self.clone() })
        })
    }
}
