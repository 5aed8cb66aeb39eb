//! A leg that hops forward, Gymnasium's `Hopper-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::locomotion::{Health, control_cost};
use super::writer::Writer;
use super::{Bounds, MujocoEnv, Simulation, Task, checks, locomotion, model, noise};
use crate::Result;
use crate::wrappers::{Mask, TimeLimit};

/// The rules: reward = forward speed + staying healthy − cost of the controls. Healthy is a height, a torso angle and
/// all other positions and velocities within their ranges. Observation, 11 numbers: positions but the first,
/// velocities clipped to ±10. Action: torques of thigh, leg and foot.
#[derive(Clone, Debug)]
pub struct Hopper {
    config: HopperConfig,
}

impl Hopper {
    fn is_healthy(&self, simulation: &Simulation) -> bool {
        let (positions, velocities) = (simulation.positions(), simulation.velocities());
        let others = positions[2..].iter().chain(velocities);
        others.copied().all(|number| self.config.healthy_state_range.contains(number))
            && self.config.healthy_z_range.contains(positions[1])
            && self.config.healthy_angle_range.contains(positions[2])
    }
}

impl Task for Hopper {
    const NAME: &'static str = "hopper";
    const DERIVES_AT_START: bool = false;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        locomotion::len(&locomotion::pose(simulation, 1, self.config.exclude_current_positions_from_observation))
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.config.reset_noise_scale, stream);
        noise::uniform(velocities, self.config.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let [positions, velocities] =
            locomotion::pose(simulation, 1, self.config.exclude_current_positions_from_observation);
        let mut writer = Writer::new(observation);
        writer.put(positions);
        writer.put_with(velocities, |number| number.clamp(-10.0, 10.0));
    }

    fn progress(&self, simulation: &Simulation) -> f64 {
        simulation.positions()[0]
    }

    fn outcome(&self, simulation: &Simulation, action: &[f32], speed: f64, _observation: &[f64]) -> (f64, bool) {
        let config = &self.config;
        let healthy = self.is_healthy(simulation);
        let cost = control_cost(config.ctrl_cost_weight, action);
        let health = Health { reward: config.healthy_reward, required: config.terminate_when_unhealthy };
        health.outcome(healthy, config.forward_reward_weight * speed, cost)
    }
}

/// Settings of `hopper` and `hopper-masked`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HopperConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 4.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the forward speed. Gymnasium: 1.
    pub forward_reward_weight: f64,
    /// Weight of the squared action. Gymnasium: 0.001.
    pub ctrl_cost_weight: f64,
    /// Reward of a step after which the hopper is healthy. Gymnasium: 1.
    pub healthy_reward: f64,
    /// Whether being unhealthy ends the task. Gymnasium: true.
    pub terminate_when_unhealthy: bool,
    /// Healthy positions, but the first two, and velocities. Gymnasium: −100 to 100.
    pub healthy_state_range: Bounds,
    /// Healthy heights. Gymnasium: from 0.7.
    pub healthy_z_range: Bounds,
    /// Healthy angles of the torso. Gymnasium: −0.2 to 0.2.
    pub healthy_angle_range: Bounds,
    /// Start positions and velocities differ from the default by uniform noise in ± this. Gymnasium: 0.005.
    pub reset_noise_scale: f64,
    /// Whether to leave the distance covered out of observations. Gymnasium: true.
    pub exclude_current_positions_from_observation: bool,
}

impl Default for HopperConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 1000,
            frame_skip: 4,
            xml_file: None,
            forward_reward_weight: 1.0,
            ctrl_cost_weight: 1e-3,
            healthy_reward: 1.0,
            terminate_when_unhealthy: true,
            healthy_state_range: Bounds::new(-100.0, 100.0),
            healthy_z_range: Bounds::from(0.7),
            healthy_angle_range: Bounds::new(-0.2, 0.2),
            reset_noise_scale: 5e-3,
            exclude_current_positions_from_observation: true,
        }
    }
}

impl HopperConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<Hopper>>> {
        checks::noise(self.reset_noise_scale)?;
        checks::finite(&[
            ("forward_reward_weight", self.forward_reward_weight),
            ("ctrl_cost_weight", self.ctrl_cost_weight),
            ("healthy_reward", self.healthy_reward),
        ])?;
        checks::proper(&[
            ("healthy_state_range", self.healthy_state_range),
            ("healthy_z_range", self.healthy_z_range),
            ("healthy_angle_range", self.healthy_angle_range),
        ])?;
        let setup = Setup {
            model: &model::HOPPER,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(Hopper::NAME, 3, 0, 0)?;
            Ok(Hopper { config: self.clone() })
        })
    }

    /// `hopper-masked`: the same with positions alone observed, the velocities hidden.
    ///
    /// # Errors
    /// As [`HopperConfig::make`].
    pub fn make_masked(&self) -> Result<Mask<TimeLimit<MujocoEnv<Hopper>>>> {
        locomotion::without_velocities(self.make()?, "hopper-masked")
    }
}
