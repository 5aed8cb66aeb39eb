//! An arm that pushes an object to a goal, Gymnasium's `Pusher-v5`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::arithmetic::{difference, length, squares};
use super::env::Setup;
use super::writer::Writer;
use super::{MujocoEnv, Simulation, Task, View, checks, model, noise};
use crate::Result;
use crate::wrappers::TimeLimit;

/// Joints of the arm.
const JOINTS: usize = 7;

/// The rules: reward = −distance of object and goal − distance of object and fingertip − the squared action, weighted;
/// never terminated. Observation, 23 numbers: angles and velocities of the arm's joints, positions of fingertip, object
/// and goal. Action: torques of the seven joints. The arm starts in its default pose, its velocities with uniform noise
/// of ±0.005; the object is drawn from a rectangle, at least 0.17 from the goal.
#[derive(Clone, Debug)]
pub struct Pusher {
    config: PusherConfig,
    fingertip: usize,
    object: usize,
    goal: usize,
}

impl Task for Pusher {
    const NAME: &'static str = "pusher";
    const VIEW: View = View::Above;
    const DERIVES_AT_START: bool = true;

    fn observation_len(&self, _simulation: &Simulation) -> usize {
        2 * JOINTS + 9
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        let object = noise::point([-0.3, 0.0], [-0.2, 0.2], |distance| distance > 0.17, stream);
        let at = positions.len() - 4;
        positions[at..at + 2].copy_from_slice(&object);
        positions[at + 2..].fill(0.0);
        noise::uniform(velocities, 0.005, stream);
        let at = velocities.len() - 4;
        velocities[at..].fill(0.0);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let mut writer = Writer::new(observation);
        writer.put(&simulation.positions()[..JOINTS]);
        writer.put(&simulation.velocities()[..JOINTS]);
        for body in [self.fingertip, self.object, self.goal] {
            writer.put(&simulation.body_position(body));
        }
    }

    fn outcome(&self, simulation: &Simulation, action: &[f32], _speed: f64, _observation: &[f64]) -> (f64, bool) {
        let object = simulation.body_position(self.object);
        let from = |body| length(difference(object, simulation.body_position(body)));
        let near = -from(self.fingertip) * self.config.reward_near_weight;
        let distance = -from(self.goal) * self.config.reward_dist_weight;
        let controls = -squares(action) * self.config.reward_control_weight as f32;
        (distance + f64::from(controls) + near, false)
    }
}

/// Settings of `pusher`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PusherConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 100.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 5.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the distance between object and fingertip. Gymnasium: 0.5.
    pub reward_near_weight: f64,
    /// Weight of the distance between object and goal. Gymnasium: 1.
    pub reward_dist_weight: f64,
    /// Weight of the squared action. Gymnasium: 0.1.
    pub reward_control_weight: f64,
}

impl Default for PusherConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 100,
            frame_skip: 5,
            xml_file: None,
            reward_near_weight: 0.5,
            reward_dist_weight: 1.0,
            reward_control_weight: 0.1,
        }
    }
}

impl PusherConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<Pusher>>> {
        checks::finite(&[
            ("reward_near_weight", self.reward_near_weight),
            ("reward_dist_weight", self.reward_dist_weight),
            ("reward_control_weight", self.reward_control_weight),
        ])?;
        let setup = Setup {
            model: &model::PUSHER,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(Pusher::NAME, JOINTS + 4, JOINTS + 4, 0)?;
            Ok(Pusher {
                config: self.clone(),
                fingertip: simulation.body(Pusher::NAME, "tips_arm")?,
                object: simulation.body(Pusher::NAME, "object")?,
                goal: simulation.body(Pusher::NAME, "goal")?,
            })
        })
    }
}
