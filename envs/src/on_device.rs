//! Environments in the form in which a device can play them.

use crate::maze::MazeOnDevice;

/// An environment as a device plays it: its rules, where it stands, and its own random stream.
///
/// The environment itself is not moved. Whoever lets a device play steps the environment with the same actions afterwards.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OnDevice {
    /// A maze.
    Maze(MazeOnDevice),
}

impl OnDevice {
    /// Whether both have the same rules.
    pub fn has_rules_of(&self, other: &Self) -> bool {
        let (Self::Maze(own), Self::Maze(other)) = (self, other);
        own.config == other.config
    }
}
