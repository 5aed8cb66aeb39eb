//! A four-legged body that walks forward, Gymnasium's `Ant-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::locomotion::{Health, control_cost};
use super::writer::Writer;
use super::{Bounds, MujocoEnv, Simulation, Task, checks, locomotion, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// The rules: reward = forward speed of the main body + staying healthy − cost of the controls − cost of the clipped
/// contact forces. Healthy is a height within its range and all of the state finite. Observation, 105 numbers:
/// positions but the first two, velocities, contact forces on every body. Action: torques of the eight joints.
#[derive(Clone, Debug)]
pub struct Ant {
    config: AntConfig,
    main_body: usize,
}

impl Ant {
    fn pose<'a>(&self, simulation: &'a Simulation) -> [&'a [f64]; 2] {
        locomotion::pose(simulation, 2, self.config.exclude_current_positions_from_observation)
    }
}

impl Task for Ant {
    const NAME: &'static str = "ant";
    const DERIVES_AT_START: bool = true;
    const CONTACT_FORCES: bool = true;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        let forces = simulation.data().cfrc_ext()[1..].as_flattened();
        let forces = if self.config.include_cfrc_ext_in_observation { forces.len() } else { 0 };
        locomotion::len(&self.pose(simulation)) + forces
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.config.reset_noise_scale, stream);
        noise::normal(velocities, self.config.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let mut writer = Writer::new(observation);
        self.pose(simulation).into_iter().for_each(|part| writer.put(part));
        if self.config.include_cfrc_ext_in_observation {
            // The first body is the world.
            let forces = simulation.data().cfrc_ext()[1..].as_flattened();
            writer.put_with(forces, |force| self.config.contact_force_range.clip(force));
        }
    }

    fn progress(&self, simulation: &Simulation) -> f64 {
        simulation.body_position(self.main_body)[0]
    }

    fn outcome(&self, simulation: &Simulation, action: &[f32], speed: f64, _observation: &[f64]) -> (f64, bool) {
        let config = &self.config;
        let (positions, velocities) = (simulation.positions(), simulation.velocities());
        let healthy = positions.iter().chain(velocities).all(|number| number.is_finite())
            && config.healthy_z_range.contains_or_touches(positions[2]);
        let controls = control_cost(config.ctrl_cost_weight, action);
        let forces = simulation.data().cfrc_ext().as_flattened().iter();
        let contacts: f64 = forces.map(|&force| config.contact_force_range.clip(force).powi(2)).sum();
        let costs = controls + config.contact_cost_weight * contacts;
        let health = Health { reward: config.healthy_reward, required: config.terminate_when_unhealthy };
        health.outcome(healthy, config.forward_reward_weight * speed, costs)
    }
}

/// Settings of `ant`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AntConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 5.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the forward speed. Gymnasium: 1.
    pub forward_reward_weight: f64,
    /// Weight of the squared action. Gymnasium: 0.5.
    pub ctrl_cost_weight: f64,
    /// Weight of the squared contact forces. Gymnasium: 0.0005.
    pub contact_cost_weight: f64,
    /// Reward of a step after which the ant is healthy. Gymnasium: 1.
    pub healthy_reward: f64,
    /// Name of the body whose speed is rewarded. Gymnasium: `torso`.
    pub main_body: String,
    /// Whether being unhealthy ends the task. Gymnasium: true.
    pub terminate_when_unhealthy: bool,
    /// Healthy heights. Gymnasium: 0.2 to 1, both included.
    pub healthy_z_range: Bounds,
    /// Contact forces are clipped to this range, in observations and in their cost. Gymnasium: −1 to 1.
    pub contact_force_range: Bounds,
    /// Start positions differ from the default by uniform noise in ± this, start velocities by normal noise with this
    /// deviation. Gymnasium: 0.1.
    pub reset_noise_scale: f64,
    /// Whether to leave the place in the plane out of observations. Gymnasium: true.
    pub exclude_current_positions_from_observation: bool,
    /// Whether contact forces are observed. Gymnasium: true.
    pub include_cfrc_ext_in_observation: bool,
}

impl Default for AntConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 1000,
            frame_skip: 5,
            xml_file: None,
            forward_reward_weight: 1.0,
            ctrl_cost_weight: 0.5,
            contact_cost_weight: 5e-4,
            healthy_reward: 1.0,
            main_body: "torso".into(),
            terminate_when_unhealthy: true,
            healthy_z_range: Bounds::new(0.2, 1.0),
            contact_force_range: Bounds::new(-1.0, 1.0),
            reset_noise_scale: 0.1,
            exclude_current_positions_from_observation: true,
            include_cfrc_ext_in_observation: true,
        }
    }
}

impl AntConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<Ant>>> {
        checks::noise(self.reset_noise_scale)?;
        checks::finite(&[
            ("forward_reward_weight", self.forward_reward_weight),
            ("ctrl_cost_weight", self.ctrl_cost_weight),
            ("contact_cost_weight", self.contact_cost_weight),
            ("healthy_reward", self.healthy_reward),
        ])?;
        checks::proper(&[
            ("healthy_z_range", self.healthy_z_range),
            ("contact_force_range", self.contact_force_range),
        ])?;
        let setup = Setup {
            model: &model::ANT,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(Ant::NAME, 3, 0, 0)?;
            Ok(Ant { main_body: simulation.body(Ant::NAME, &self.main_body)?, config: self.clone() })
        })
    }
}
