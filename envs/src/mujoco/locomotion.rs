//! What the tasks of moving forward have in common.

use super::arithmetic::squares;
use super::{MujocoEnv, Simulation, Task};
use crate::wrappers::{Mask, TimeLimit};
use crate::{Env, Result};

/// Positions but the first `places`, which say where the body is, and velocities.
pub(super) fn pose(simulation: &Simulation, places: usize, leave_out: bool) -> [&[f64]; 2] {
    let skipped = if leave_out { places } else { 0 };
    [&simulation.positions()[skipped..], simulation.velocities()]
}

/// Elements of all parts of an observation.
pub(super) fn len(parts: &[&[f64]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

/// A task whose observations are [`pose`]s, with the velocities hidden, as an environment of this name.
pub(super) fn without_velocities<T: Task>(
    env: TimeLimit<MujocoEnv<T>>,
    name: &str,
) -> Result<Mask<TimeLimit<MujocoEnv<T>>>> {
    let positions = env.observation_space().len() - env.inner().simulation().velocities().len();
    Mask::new(env, name, (0..positions).collect::<Vec<_>>())
}

/// Cost of the action given, computed in 32 bits as Gymnasium does.
pub(super) fn control_cost(weight: f64, action: &[f32]) -> f64 {
    f64::from(weight as f32 * squares(action))
}

/// What staying healthy is worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    /// Reward of a step after which the body is healthy.
    pub reward: f64,
    /// Whether being unhealthy ends the task.
    pub required: bool,
}

impl Health {
    /// Reward of a step and whether it ended the task.
    pub fn outcome(self, healthy: bool, forward: f64, costs: f64) -> (f64, bool) {
        let survive = if healthy { self.reward } else { 0.0 };
        (forward + survive - costs, !healthy && self.required)
    }
}
