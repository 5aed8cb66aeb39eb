//! The ten MuJoCo tasks of Gymnasium, in their version 5: same physics, observations, rewards, endings and options.
//!
//! Each task is a file with its rules ([`Task`]) and its settings, which have Gymnasium's names and defaults;
//! [`MujocoEnv`] makes an environment of them. Physics and rewards are 64-bit, observations are written in 32.
//! Actions beyond the bounds are clamped by the simulator, while control costs count them as they were given. Where
//! MuJoCo warns, of numbers that blew up or of full memory, the step fails.
//!
//! The simulator is MuJoCo 3.17.0 (Apache-2.0), its models are Gymnasium's (MIT); `cargo xtask setup` fetches both.
//! Messages of the simulator go to the crate `log`.

mod ant;
mod arithmetic;
mod bounds;
mod checks;
mod env;
mod half_cheetah;
mod hopper;
mod humanoid;
mod inverted_double_pendulum;
mod inverted_pendulum;
mod locomotion;
mod model;
mod noise;
mod pusher;
mod reacher;
mod script;
mod simulation;
mod swimmer;
mod view;
mod walker2d;
mod writer;

pub use ant::{Ant, AntConfig};
pub use bounds::Bounds;
pub use env::{MujocoEnv, Task};
pub use half_cheetah::{HalfCheetah, HalfCheetahConfig};
pub use hopper::{Hopper, HopperConfig};
pub use humanoid::{Humanoid, HumanoidConfig};
pub use inverted_double_pendulum::{InvertedDoublePendulum, InvertedDoublePendulumConfig};
pub use inverted_pendulum::{InvertedPendulum, InvertedPendulumConfig};
pub use pusher::{Pusher, PusherConfig};
pub use reacher::{Reacher, ReacherConfig};
pub(crate) use script::bare;
pub use simulation::Simulation;
pub use swimmer::{Swimmer, SwimmerConfig};
pub use view::View;
pub use walker2d::{Walker2d, Walker2dConfig};
