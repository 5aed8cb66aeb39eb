//! Atari 2600 games in-process: the Arcade Learning Environment, compiled from source, behind a safe interface.
//!
//! An `Emulator` plays one `Rom`, frame by frame: `Emulator::act`, `Emulator::screen`, `Emulator::ram`.
//! Emulators are independent of each other and can be moved to other threads. Their whole state, the random stream of
//! sticky actions included, can be saved and restored.
//!
//! Everything is behind the feature `emulator`, which needs `cargo xtask setup` to have been run. The emulator is under
//! the GPL-2.0, and so is a program with this feature.

#[cfg(feature = "emulator")]
mod action;
#[cfg(feature = "emulator")]
mod emulator;
#[cfg(feature = "emulator")]
mod error;
#[cfg(feature = "emulator")]
mod ffi;
#[cfg(feature = "emulator")]
mod rom;
#[cfg(feature = "emulator")]
mod screen;

#[cfg(feature = "emulator")]
pub use self::{
    action::Action,
    emulator::{Emulator, Options, Outcome},
    error::{Error, Result},
    rom::{Rom, games, rom_folder},
    screen::{Palette, Screen},
};

/// Version of the emulator.
#[cfg(feature = "emulator")]
pub const VERSION: &str = env!("STPN_ATARI_VERSION");

/// Where the emulator's licence, the GPL-2.0, was when this was built.
#[cfg(feature = "emulator")]
pub const LICENCE: &str = env!("STPN_ATARI_LICENCE");
