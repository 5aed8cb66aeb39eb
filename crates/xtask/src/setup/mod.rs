//! `cargo xtask setup`: fetches what the native environments are made of into the ignored folder `native`.
//!
//! Every part is a pinned archive from the Python package index. What is there already, and sound, is kept: the
//! command can be repeated and interrupted at will.

mod archive;
mod atari;
mod mujoco;
mod tools;

use anyhow::Result;

/// Sets up every native part that is not set up yet.
pub fn run() -> Result<()> {
    tools::require_pip()?;
    atari::set_up()?;
    mujoco::set_up()?;
    println!(
        "set up: build with `--features atari,mujoco`, e.g. cargo run --release --features atari,mujoco -- doctor"
    );
    Ok(())
}
