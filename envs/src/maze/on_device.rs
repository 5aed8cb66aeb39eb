//! The maze in the form in which a device can play it.

use stpn_random::Stream;

use super::{MazeConfig, Position};

/// A maze between two steps of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct MazeOnDevice {
    /// Its settings.
    pub config: MazeConfig,
    /// Where the agent is.
    pub agent: Position,
    /// The goal, as its index among the free cells.
    pub goal: usize,
    /// Steps of the episode so far.
    pub step: u32,
    /// What new places and goals are drawn from.
    pub stream: Stream,
}
