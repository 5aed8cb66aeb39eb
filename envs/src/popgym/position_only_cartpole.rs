//! PositionOnlyCartPole and its noisy form: balance a pole whose velocities are hidden.

use super::{Level, Partial};
use crate::classic::CartPole;

/// Which numbers of the cart and pole are positions: x and θ.
pub(super) const POSITIONS: [usize; 2] = [0, 2];

/// [`CartPole`] with x and θ observed. Reward 1/T a step, truncated after T steps: 200, 400 or 600 by level.
///
/// Fault: a fall is meant to cost 1 (`reward_transform`), but costs nothing, since CartPole's reward is 1 on the step
/// that falls, too.
pub fn position_only_cartpole(level: Level) -> Partial<CartPole> {
    Partial::new(CartPole, POSITIONS, steps(level), reward)
}

/// The same, 200 steps long at every level, with Gaussian noise on both numbers, of standard deviation 0.1, 0.2 or 0.3
/// by level, and the sum clipped to the bounds of the space.
///
/// Fault: the noise is as large for the angle, which ends the episode at 0.21, as for the position, which ends it at
/// 2.4.
pub fn noisy_position_only_cartpole(level: Level) -> Partial<CartPole> {
    position_only_cartpole(Level::Easy).noisy(level.of([0.1, 0.2, 0.3]))
}

/// Steps of the longest episode.
pub(super) fn steps(level: Level) -> u32 {
    level.of([200, 400, 600])
}

/// The reward of a step.
pub(super) fn reward(_: f64, steps: f64) -> f64 {
    1.0 / steps
}
