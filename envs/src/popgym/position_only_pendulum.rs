//! PositionOnlyPendulum and its noisy form: swing up a pendulum whose velocity is hidden.

use super::{Level, Partial};
use crate::classic::Pendulum;

/// Half of the least reward of a step, as the package has it.
const HALF: f64 = 16.2736044 / 2.0;

/// [`Pendulum`] with cos θ and sin θ observed. A step's reward r becomes (1 + r/8.137)/T, between −1/T and 1/T;
/// truncated after T steps: 200, 150 or 100 by level, so that the hard level is the shortest.
pub fn position_only_pendulum(level: Level) -> Partial<Pendulum> {
    Partial::new(Pendulum::default(), [0, 1], level.of([200, 150, 100]), reward)
}

/// The same, 200 steps long at every level, with Gaussian noise on both numbers, of standard deviation 0.1, 0.2 or 0.3
/// by level, and the sum clipped to ±1.
pub fn noisy_position_only_pendulum(level: Level) -> Partial<Pendulum> {
    position_only_pendulum(Level::Easy).noisy(level.of([0.1, 0.2, 0.3]))
}

fn reward(reward: f64, steps: f64) -> f64 {
    (reward + HALF) / HALF / steps
}
