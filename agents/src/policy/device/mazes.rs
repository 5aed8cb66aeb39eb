//! Mazes as the kernel plays them.

use stpn_cuda::maze::{MazeRules, MazeState, Mazes};
use stpn_envs::OnDevice;
use stpn_envs::maze::{MazeConfig, MazeOnDevice, Position};

use super::obstacle::no_kernel;
use crate::Result;

/// Words drawn beyond the two that a step can need, for a new place and a new goal: a word is rejected with a
/// probability below 2⁻⁵⁰, and then the next one takes its place.
const SPARE_DRAWS: usize = 8;

/// The mazes of a rollout, with the numbers that their streams give.
pub(super) struct StagedMazes {
    rules: MazeRules,
    states: Vec<MazeState>,
    draws: Vec<u64>,
}

impl StagedMazes {
    /// For that many steps; all have the rules of the first.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for an environment of another kind.
    pub fn new(environments: &[OnDevice], steps: usize) -> Result<Self> {
        let Some(OnDevice::Maze(first)) = environments.first() else { return Err(no_kernel()) };
        let rules = rules(&first.config)?;
        let (batch, draws_len) = (environments.len(), 2 * steps + SPARE_DRAWS);
        let (mut states, mut draws) = (Vec::with_capacity(batch), Vec::with_capacity(batch * draws_len));
        for environment in environments {
            let OnDevice::Maze(MazeOnDevice { agent, goal, step, stream, .. }) = environment else {
                return Err(no_kernel());
            };
            states.push(MazeState { agent: cell(*agent, rules.size), goal: *goal, step: *step as usize });
            let mut stream = stream.clone();
            draws.extend((0..draws_len).map(|_| stream.next_u64()));
        }
        Ok(Self { rules, states, draws })
    }

    /// As the kernel takes them.
    pub fn mazes(&self) -> Mazes<'_> {
        Mazes { rules: &self.rules, states: &self.states, draws: &self.draws }
    }
}

fn cell(position: Position, size: usize) -> usize {
    position.row * size + position.column
}

/// A maze's rules as the kernel has them.
fn rules(config: &MazeConfig) -> Result<MazeRules> {
    let maze = config.make()?;
    let (grid, size) = (maze.grid(), config.size);
    let walls = (0..size * size).map(|at| u8::from(grid.is_wall(Position { row: at / size, column: at % size })));
    Ok(MazeRules {
        size,
        view_radius: config.view_radius,
        episode_length: config.episode_length as usize,
        reward: config.reward,
        wall_penalty: config.wall_penalty,
        walls: walls.collect(),
        // At most 99 rows and columns.
        free_cells: grid.free().iter().map(|&position| cell(position, size) as i32).collect(),
    })
}
