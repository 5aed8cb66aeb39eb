//! Reinforcement-learning environments in the shape of Gymnasium, and the vector form that rollouts step.
//!
//! The crate knows no network: it takes actions and writes observations into buffers that the caller owns.
//!
//! - [`Env`] is one environment, [`VectorEnv`] many of them, stepped in parallel. [`Rules`] are the shortest way to an
//!   environment of one's own.
//! - [`maze`], [`classic`] and [`popgym`] are environments, with the feature `mujoco` also the MuJoCo tasks, [`wrappers`] change them, [`registry`] makes them by name.
//! - [`check_env`] tells whether an environment keeps the rules, [`throughput`] how fast it is.
//!
//! # An environment of one's own
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use stpn_envs::{Action, Env, Result, Rules, RulesEnv, Space, Step, check_env};
//! use stpn_random::Stream;
//!
//! /// Guess ten times on which side a coin will fall.
//! struct Coin;
//!
//! /// All that changes, so that it can be saved.
//! #[derive(Clone, Serialize, Deserialize)]
//! struct State {
//!     heads: bool,
//!     thrown: u32,
//! }
//!
//! impl Rules for Coin {
//!     type State = State;
//!     const NAME: &'static str = "coin";
//!
//!     fn observation_space(&self) -> Space {
//!         Space::boxed(0.0, 1.0, [1])
//!     }
//!     fn action_space(&self) -> Space {
//!         Space::discrete(2)
//!     }
//!     fn start(&self, _: &mut Stream) -> State {
//!         State { heads: false, thrown: 0 }
//!     }
//!     fn step(&self, state: &mut State, action: Action<'_>, stream: &mut Stream) -> Result<Step> {
//!         let guess = action.discrete(2)? == 1;
//!         *state = State { heads: stream.below(2) == 1, thrown: state.thrown + 1 };
//!         Ok(Step { reward: f64::from(guess == state.heads), terminated: state.thrown == 10, ..Step::default() })
//!     }
//!     fn observe(&self, state: &State, observation: &mut [f32]) {
//!         observation[0] = f32::from(u8::from(state.heads));
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let report = check_env::check_env(|| Ok(Box::new(RulesEnv::new(Coin)) as Box<dyn Env>))?;
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
mod echo;
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
mod on_device;
mod panic;
pub mod pixels;
#[cfg_attr(not(unix), allow(dead_code, reason = "only environments in processes ask"))]
mod placement;
pub mod popgym;
mod registered;
pub mod registry;
mod return_bounds;
pub mod rules;
mod sample;
pub mod screen;
pub mod space;
pub mod state;
pub mod throughput;
pub mod vector;
pub mod wrappers;

pub use echo::Echo;
pub use env::{Action, Env, Episode, ObservationMut, Step};
pub use error::{Error, Result};
pub use on_device::OnDevice;
pub use registry::EnvConfig;
pub use rules::{Rules, RulesEnv};
pub use sample::Sample;
pub use screen::Screen;
pub use space::{Dtype, Space};
pub use vector::{EnvGroup, Transition, VectorEnv};
