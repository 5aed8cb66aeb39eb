//! An arm of two links whose fingertip reaches for a target, Gymnasium's `Reacher-v5`.

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

/// Radius of the disc in which the target is drawn.
const REACH: f64 = 0.2;

/// The rules: reward = −distance of fingertip and target − the squared action; never terminated. Observation, 10
/// numbers: cosines and sines of the joints, the target, the joints' velocities, the way from target to fingertip.
/// Action: torques of the two joints. The start pose has uniform noise of ±0.1, the velocities of ±0.005; the target
/// is uniform in a disc.
#[derive(Clone, Debug)]
pub struct Reacher {
    reward_dist_weight: f64,
    reward_control_weight: f64,
    fingertip: usize,
    target: usize,
}

impl Reacher {
    /// From the target to the fingertip.
    fn way(&self, simulation: &Simulation) -> [f64; 3] {
        difference(simulation.body_position(self.fingertip), simulation.body_position(self.target))
    }
}

impl Task for Reacher {
    const NAME: &'static str = "reacher";
    const VIEW: View = View::Above;
    const DERIVES_AT_START: bool = true;

    fn observation_len(&self, simulation: &Simulation) -> usize {
        simulation.positions().len() + 6
    }

    fn start(&self, stream: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        noise::uniform(positions, 0.1, stream);
        let target = noise::point([-REACH, REACH], [-REACH, REACH], |distance| distance < REACH, stream);
        let at = positions.len() - 2;
        positions[at..].copy_from_slice(&target);
        noise::uniform(velocities, 0.005, stream);
        let at = velocities.len() - 2;
        velocities[at..].fill(0.0);
    }

    fn observe(&self, simulation: &Simulation, observation: &mut [f64]) {
        let (joints, target) = simulation.positions().split_at(2);
        let mut writer = Writer::new(observation);
        writer.put_with(joints, f64::cos);
        writer.put_with(joints, f64::sin);
        writer.put(target);
        writer.put(&simulation.velocities()[..2]);
        writer.put(&self.way(simulation)[..2]);
    }

    fn outcome(&self, simulation: &Simulation, action: &[f32], _speed: f64, _observation: &[f64]) -> (f64, bool) {
        let distance = -length(self.way(simulation)) * self.reward_dist_weight;
        let controls = -squares(action) * self.reward_control_weight as f32;
        (distance + f64::from(controls), false)
    }
}

/// Settings of `reacher`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReacherConfig {
    /// Steps after which an episode is truncated, at least 1. Gymnasium: 50.
    pub max_episode_steps: u32,
    /// The simulator's steps in one of the environment's, at least 1. Gymnasium: 2.
    pub frame_skip: u32,
    /// Another model, as MuJoCo's XML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_file: Option<PathBuf>,
    /// Weight of the distance. Gymnasium: 1.
    pub reward_dist_weight: f64,
    /// Weight of the squared action. Gymnasium: 1.
    pub reward_control_weight: f64,
}

impl Default for ReacherConfig {
    fn default() -> Self {
        Self {
            max_episode_steps: 50,
            frame_skip: 2,
            xml_file: None,
            reward_dist_weight: 1.0,
            reward_control_weight: 1.0,
        }
    }
}

impl ReacherConfig {
    /// The environment with its time limit.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for impossible settings, [`crate::Error::Simulator`] for a model that does not fit.
    pub fn make(&self) -> Result<TimeLimit<MujocoEnv<Reacher>>> {
        checks::finite(&[
            ("reward_dist_weight", self.reward_dist_weight),
            ("reward_control_weight", self.reward_control_weight),
        ])?;
        let setup = Setup {
            model: &model::REACHER,
            xml_file: self.xml_file.as_deref(),
            frame_skip: self.frame_skip,
            max_episode_steps: self.max_episode_steps,
        };
        setup.make(|simulation| {
            simulation.require(Reacher::NAME, 4, 4, 0)?;
            Ok(Reacher {
                reward_dist_weight: self.reward_dist_weight,
                reward_control_weight: self.reward_control_weight,
                fingertip: simulation.body(Reacher::NAME, "fingertip")?,
                target: simulation.body(Reacher::NAME, "target")?,
            })
        })
    }
}
