//! Classic control, as Gymnasium defines it, and a delayed-recall task.
//!
//! Each task is a file with its equations ([`Dynamics`]) or rules, and its settings; [`crate::RulesEnv`] makes an
//! environment of them.
//! States are 64-bit, observations 32-bit. Actions of continuous tasks are clipped to the bounds of their space.

mod acrobot;
mod cartpole;
mod dynamics;
mod memory;
mod mountain_car;
mod mountain_car_continuous;
mod pendulum;

pub use acrobot::{Acrobot, AcrobotConfig};
pub use cartpole::{CartPole, CartPoleConfig};
pub use dynamics::Dynamics;
pub use memory::{Memory, MemoryConfig};
pub use mountain_car::{MountainCar, MountainCarConfig};
pub use mountain_car_continuous::{MountainCarContinuous, MountainCarContinuousConfig};
pub use pendulum::{Pendulum, PendulumConfig};
