//! VelocityOnlyCartPole: balance a pole whose positions are hidden.

use super::position_only_cartpole::{POSITIONS, reward, steps};
use super::{Level, Partial};
use crate::classic::CartPole;

/// [`CartPole`] with ẋ and θ̇ observed. Reward 1/T a step, truncated after T steps: 200, 400 or 600 by level.
///
/// Faults: the first observation of an episode is x and θ. As in
/// [`position_only_cartpole`](super::position_only_cartpole()), a fall costs nothing.
pub fn velocity_only_cartpole(level: Level) -> Partial<CartPole> {
    Partial::new(CartPole, [1, 3], steps(level), reward).showing_first(POSITIONS)
}
