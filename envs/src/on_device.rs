//! Environments in the form in which a device can play them.

use crate::maze::MazeOnDevice;
use crate::popgym::GameOnDevice;

/// An environment as a device plays it: its rules, where it stands, and its own random stream, or what that gives.
///
/// The environment itself is not moved. Whoever lets a device play steps the environment with the same actions afterwards.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OnDevice {
    /// A maze.
    Maze(MazeOnDevice),
    /// A game of POPGym, perhaps with what its wrappers show.
    Game(GameOnDevice),
}

impl OnDevice {
    /// Whether both have the same rules.
    pub fn has_rules_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Maze(own), Self::Maze(other)) => own.config == other.config,
            (Self::Game(own), Self::Game(other)) => own.rules == other.rules,
            _ => false,
        }
    }
}
