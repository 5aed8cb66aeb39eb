//! Mazes that a device plays.

use crate::lengths::expect;
pub use crate::played_sizes::MAZE_ACTIONS as ACTIONS;
use crate::runner::int;
use crate::{Error, Result};

/// Numbers of an observation beside the patch of cells.
const REST: usize = 8;

/// Rules of a maze, with what does not change in it.
#[derive(Clone, Debug, PartialEq)]
pub struct MazeRules {
    /// Rows and columns.
    pub size: usize,
    /// How many cells the agent sees in every direction.
    pub view_radius: usize,
    /// Steps of an episode.
    pub episode_length: usize,
    /// Reward for reaching the goal.
    pub reward: f64,
    /// Subtracted from the reward of a step into a wall.
    pub wall_penalty: f64,
    /// `[size, size]`, 1 for a wall; no cell that an agent can reach lies at the edge.
    pub walls: Vec<u8>,
    /// The free cells, row by row, as row · size + column.
    pub free_cells: Vec<i32>,
}

impl MazeRules {
    /// Numbers of an observation.
    pub fn observation_len(&self) -> usize {
        (2 * self.view_radius + 1).pow(2) + REST
    }
}

/// Where a maze stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MazeState {
    /// The agent's cell, as row · size + column.
    pub agent: usize,
    /// The goal, as its number among the free cells.
    pub goal: usize,
    /// Steps of the episode so far.
    pub step: usize,
}

/// The B mazes of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Mazes<'a> {
    /// Of all of them.
    pub rules: &'a MazeRules,
    /// `[B]` before the first step.
    pub states: &'a [MazeState],
    /// `[B, W]`, words of each environment's own stream; two for each step suffice, and some more for what is rejected.
    pub draws: &'a [u64],
}

impl Mazes<'_> {
    /// Refuses mazes that are not `batch`, or are not sound, for a layer of `input` inputs.
    pub(crate) fn check(&self, batch: usize, input: usize) -> Result<()> {
        let Self { rules, states, draws } = *self;
        let must = |holds: bool, problem: &str| {
            if holds { Ok(()) } else { Err(Error::Rollout { problem: problem.to_string() }) }
        };
        must((3..1 << 10).contains(&rules.size), "a maze needs 3 to 1,023 rows")?;
        // Counted in single precision.
        must(draws.len() < batch << 24 && rules.episode_length < 1 << 24, "more steps than the kernel counts")?;
        must(rules.episode_length > 0, "an episode needs at least one step")?;
        must(rules.free_cells.len() > 1, "a maze needs at least two free cells")?;
        expect("inputs of the layer", input, rules.observation_len())?;
        expect("walls", rules.walls.len(), rules.size * rules.size)?;
        expect("mazes", states.len(), batch)?;
        expect("draws", draws.len(), draws.len().div_ceil(batch).max(1) * batch)?;
        let inside = |cell: usize| {
            let (row, column, last) = (cell / rules.size, cell % rules.size, rules.size - 1);
            (1..last).contains(&row) && (1..last).contains(&column)
        };
        let free = &rules.free_cells;
        must(free.iter().all(|&cell| usize::try_from(cell).is_ok_and(inside)), "a free cell lies at the edge")?;
        must((0..rules.walls.len()).all(|cell| inside(cell) || rules.walls[cell] != 0), "the edge is open")?;
        let sound = |maze: &MazeState| inside(maze.agent) && maze.goal < free.len();
        must(states.iter().all(sound), "an agent or a goal lies outside its maze")?;
        must(states.iter().all(|maze| maze.step < rules.episode_length), "an episode is longer than it may be")
    }

    /// `[B, 3]` as the kernel wants it.
    pub(crate) fn raw_states(&self) -> Vec<i32> {
        self.states.iter().flat_map(|maze| [int(maze.agent), int(maze.goal), int(maze.step)]).collect()
    }
}
