//! Reinforcement-learning environments in the shape of Gymnasium, and the vector form that rollouts step.
//!
//! The crate knows no network: it takes actions and writes observations into buffers that the caller owns.
//!
//! - [`Env`] is one environment, [`VectorEnv`] many of them, stepped in parallel.
//! - [`maze`], [`classic`] and [`popgym`] are environments, with the feature `mujoco` also the MuJoCo tasks, [`wrappers`] change them, [`registry`] makes them by name.
//! - [`check_env`] tells whether an environment keeps the rules, [`throughput`] how fast it is.
//!
//! # An environment of one's own
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use stpn_envs::{Action, Env, Error, ObservationMut, Result, Space, Step, check_env, state};
//! use stpn_random::Stream;
//!
//! /// Guess the side on which a coin will fall.
//! struct Coin {
//!     observation_space: Space,
//!     action_space: Space,
//!     state: State,
//! }
//!
//! /// All that changes, so that it can be saved.
//! #[derive(Serialize, Deserialize)]
//! struct State {
//!     stream: Stream,
//!     last: usize,
//!     left: u32,
//! }
//!
//! impl Env for Coin {
//!     fn name(&self) -> &str {
//!         "coin"
//!     }
//!     fn observation_space(&self) -> &Space {
//!         &self.observation_space
//!     }
//!     fn action_space(&self) -> &Space {
//!         &self.action_space
//!     }
//!     fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
//!         if let Some(seed) = seed {
//!             self.state.stream = Stream::from_seed(seed);
//!         }
//!         (self.state.last, self.state.left) = (0, 10);
//!         observation.f32(1)?[0] = self.state.last as f32;
//!         Ok(())
//!     }
//!     fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
//!         let guess = action.discrete(2)?;
//!         let observation = observation.f32(1)?;
//!         if self.state.left == 0 {
//!             return Err(Error::ResetNeeded { environment: "coin".into() });
//!         }
//!         self.state.last = self.state.stream.below(2);
//!         self.state.left -= 1;
//!         observation[0] = self.state.last as f32;
//!         let reward = f64::from(guess == self.state.last);
//!         Ok(Step { reward, terminated: self.state.left == 0, ..Step::default() })
//!     }
//!     fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
//!         state::save("coin", &self.state, bytes)
//!     }
//!     fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
//!         self.state = state::restore("coin", bytes)?;
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let make = || -> Result<Box<dyn Env>> {
//!     Ok(Box::new(Coin {
//!         observation_space: Space::boxed(0.0, 1.0, [1]),
//!         action_space: Space::discrete(2),
//!         state: State { stream: Stream::from_seed(0), last: 0, left: 0 },
//!     }))
//! };
//! let report = check_env::check_env(make)?;
//! assert!(report.passed(), "{report}");
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(feature = "mujoco"), forbid(unsafe_code))]

#[cfg(feature = "atari")]
pub mod atari;
pub mod check_env;
pub mod classic;
pub mod custom;
pub mod env;
pub mod error;
#[cfg(unix)]
pub mod gymnasium;
#[cfg(feature = "gymnasium-rs")]
pub mod gymnasium_rs;
pub mod maze;
#[cfg(feature = "mujoco")]
pub mod mujoco;
pub mod native;
mod panic;
pub mod pixels;
#[cfg_attr(not(unix), allow(dead_code, reason = "only environments in processes ask"))]
mod placement;
pub mod popgym;
mod registered;
pub mod registry;
mod return_bounds;
mod sample;
pub mod screen;
pub mod space;
pub mod state;
pub mod throughput;
pub mod vector;
pub mod wrappers;

pub use env::{Action, Env, Episode, ObservationMut, Step};
pub use error::{Error, Result};
pub use registry::EnvConfig;
pub use sample::Sample;
pub use screen::Screen;
pub use space::{Dtype, Space};
pub use vector::{EnvGroup, Transition, VectorEnv};
