//! Maze exploration: find the goal, then find it again from wherever one is put (Miconi et al. 2019; Rodriguez, Guo
//! and Moraitis 2022, "maze").
//!
//! The agent must explore to find the goal, and remember within the episode where it is. The goal stays for the
//! whole episode; reaching it moves the agent to a free cell drawn uniformly from those other than the goal.

mod config;
mod env;
mod grid;
mod on_device;
mod oracle;

pub use config::MazeConfig;
pub use env::Maze;
pub use grid::{Grid, Position};
pub use on_device::MazeOnDevice;
pub use oracle::expected_return;
