//! A body with two legs and two arms that walks forward, Gymnasium's `Humanoid-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::env::Setup;
use super::locomotion::Health;
use super::writer::Writer;
use super::{Bounds, MujocoEnv, Simulation, Task, checks, locomotion, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// Degrees of freedom of the free joint, which no actuator moves.
const FREE: usize = 6;

/// The rules: reward = forward speed of the centre of mass + staying healthy − cost of the controls − cost of contact
/// forces. Healthy is a height within its range. Observation, 348 numbers: positions but the first two, velocities,
/// and of every body inertia, velocity and contact force, with the actuators' forces on the joints before the last.
/// Action: torques of the seventeen joints.
#[derive(Clone, Debug)]
pub struct Humanoid {
    config: HumanoidConfig,
}

impl Humanoid {
    /// The parts of the observation; the first body is the world.
    fn parts<'a>(&self, simulation: &'a Simulation) -> [&'a [f64]; 6] {
        let (data, config) = (simulation.data(), &self.config);
        let included = |part: &'a [f64], include: bool| if include { part } else { &[] };
        let [positions, velocities] =
            locomotion::pose(simulation, 2, config.exclude_current_positions_from_observation);
        [
            positions,
            velocities,
            included(data.cinert()[1..].as_flattened(), config.include_cinert_in_observation),
            included(data.cvel()[1..].as_flattened(), config.include_cvel_in_observation),
            included(&data.qfrc_actuator()[FREE..], config.include_qfrc_actuator_in_observation),
            included(data.cfrc_ext()[1..].as_flattened(), config.include_cfrc_ext_in_observation),
        ]
    }
}

impl Task for Humanoid {
    const NAME: &'static str = "humanoid";
    const DERIVES_AT_START: bool = true;
    const CONTACT_FORCES: bool = true;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        locomotion::len(&self.parts(simulation))
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, self.config.reset_noise_scale, stream);
        noise::uniform(velocities, self.config.reset_noise_scale, stream);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let mut writer = Writer::new(observation);
        self.parts(simulation).into_iter().for_each(|part| writer.put(part));
    }

    fn progress(&self, simulation: &Simulation) -> f64 {
        let masses = simulation.data().model().body_mass();
        let places = simulation.data().xipos();
        let moment: f64 = masses.iter().zip(places).map(|(mass, place)| mass * place[0]).sum();
        moment / masses.iter().sum::<f64>()
    }

    fn outcome(&self, simulation: &Simulation, _action: &[f32], speed: f64, _observation: &[f64]) -> (f64, bool) {
        let (data, config) = (simulation.data(), &self.config);
        let healthy = config.healthy_z_range.contains(simulation.positions()[2]);
        let squares = |numbers: &[f64]| numbers.iter().map(|number| number * number).sum::<f64>();
        let controls = config.ctrl_cost_weight * squares(data.ctrl());
        let contacts = config.contact_cost_weight * squares(data.cfrc_ext().as_flattened());
        let costs = controls + config.contact_cost_range.clip(contacts);
        let health = Health { reward: config.healthy_reward, required: config.terminate_when_unhealthy };
        health.outcome(healthy, config.forward_reward_weight * speed, costs)
    }
}

/// Settings of `humanoid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HumanoidConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 1000.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 5.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the forward speed. Gymnasium: 1.25.
    pub forward_reward_weight: f64,
    /// Weight of the squared action. Gymnasium: 0.1.
    pub ctrl_cost_weight: f64,
    /// Weight of the squared contact forces. Gymnasium: 0.0000005.
    pub contact_cost_weight: f64,
    /// The cost of contact forces is clipped to this range. Gymnasium: up to 10.
    pub contact_cost_range: Bounds,
    /// Reward of a step after which the humanoid is healthy. Gymnasium: 5.
    pub healthy_reward: f64,
    /// Whether being unhealthy ends the task. Gymnasium: true.
    pub terminate_when_unhealthy: bool,
    /// Healthy heights. Gymnasium: 1 to 2.
    pub healthy_z_range: Bounds,
    /// Start positions and velocities differ from the default by uniform noise in ± this. Gymnasium: 0.01.
    pub reset_noise_scale: f64,
    /// Whether to leave the place in the plane out of observations. Gymnasium: true.
    pub exclude_current_positions_from_observation: bool,
    /// Whether masses and inertias are observed. Gymnasium: true.
    pub include_cinert_in_observation: bool,
    /// Whether the bodies' velocities are observed. Gymnasium: true.
    pub include_cvel_in_observation: bool,
    /// Whether the actuators' forces are observed. Gymnasium: true.
    pub include_qfrc_actuator_in_observation: bool,
    /// Whether contact forces are observed. Gymnasium: true.
    pub include_cfrc_ext_in_observation: bool,
}

impl Default for HumanoidConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 1000,
            frame_skip: 5,
            xml_file: None,
            forward_reward_weight: 1.25,
            ctrl_cost_weight: 0.1,
            contact_cost_weight: 5e-7,
            contact_cost_range: Bounds::up_to(10.0),
            healthy_reward: 5.0,
            terminate_when_unhealthy: true,
            healthy_z_range: Bounds::new(1.0, 2.0),
            reset_noise_scale: 1e-2,
            exclude_current_positions_from_observation: true,
            include_cinert_in_observation: true,
            include_cvel_in_observation: true,
            include_qfrc_actuator_in_observation: true,
            include_cfrc_ext_in_observation: true,
        }
    }
}

impl HumanoidConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<Humanoid>>> {
        checks::noise(self.reset_noise_scale)?;
        checks::finite(&[
            ("forward_reward_weight", self.forward_reward_weight),
            ("ctrl_cost_weight", self.ctrl_cost_weight),
            ("contact_cost_weight", self.contact_cost_weight),
            ("healthy_reward", self.healthy_reward),
        ])?;
        checks::proper(&[("contact_cost_range", self.contact_cost_range), ("healthy_z_range", self.healthy_z_range)])?;
        let setup = Setup {
            model: &model::HUMANOID,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(Humanoid::NAME, 3, FREE, 0)?;
            Ok(Humanoid { config: self.clone() })
        })
    }
}
