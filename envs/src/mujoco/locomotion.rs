//! What the tasks of moving forward have in common.

use super::Simulation;
use super::arithmetic::squares;

/// Positions but the first `places`, which say where the body is, and velocities.
pub(super) fn pose(simulation: &Simulation, places: usize, leave_out: bool) -> [&[f64]; 2] {
    let skipped = if leave_out { places } else { 0 };
    [&simulation.positions()[skipped..], simulation.velocities()]
}

/// Elements of all parts of an observation.
pub(super) fn len(parts: &[&[f64]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
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
