//! Atari 2600 games, and what is usually done to them before an agent sees them.
//!
//! A game is played through a chain of stages, each of which changes one thing: [`Game`] plays the frames,
//! [`NoopStart`] begins episodes with a random number of empty frames, [`FrameSkip`] repeats every action,
//! [`EpisodicLife`] ends an episode where a life is lost, [`FireReset`] presses the button that some games wait for.
//! [`Atari`] makes an [`crate::Env`] of the chain: only here is the screen turned into an observation, in one pass from
//! the console's palette, so that frames that nobody sees cost nothing but their emulation.
//! [`crate::wrappers::FrameStack`] and [`crate::wrappers::RewardClip`] go around that.

mod bare;
mod config;
mod env;
mod episodic_life;
mod fire_reset;
mod frame_skip;
mod game;
mod noop_start;
mod picture;
mod play;

pub(crate) use bare::bare;
pub use config::{AtariConfig, Preprocessing};
pub use env::Atari;
pub use episodic_life::EpisodicLife;
pub use fire_reset::FireReset;
pub use frame_skip::FrameSkip;
pub use game::Game;
pub use noop_start::NoopStart;
pub use picture::Picture;
pub use play::{Frame, Play, Start, View};
