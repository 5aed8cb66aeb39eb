//! Mazes and rollouts in them that the tests share.

use stpn_cuda::maze::{ACTIONS, MazeRules, MazeState, Mazes};
use stpn_cuda::rollout::{Environments, Rollout};
use stpn_cuda::{AnyLayer, Extent};

use super::Numbers;
use super::rollout::Given;

/// 7×7 with a pillar wherever row and column are even, but in the centre.
pub fn rules() -> MazeRules {
    let wall = |cell: usize| {
        let (row, column) = (cell / 7, cell % 7);
        let outer = [0, 6].contains(&row) || [0, 6].contains(&column);
        outer || (row % 2 == 0 && column % 2 == 0)
    };
    let walls: Vec<u8> = (0..49).map(|cell| u8::from(wall(cell) && cell != 24)).collect();
    let free_cells = (0..49).filter(|cell| walls[*cell] == 0).map(|cell| cell as i32).collect();
    MazeRules { size: 7, view_radius: 1, episode_length: 9, reward: 10.0, wall_penalty: 0.5, walls, free_cells }
}

/// What a rollout reads, but for the rules.
pub struct Case<T> {
    pub given: Given<T>,
    pub states: Vec<MazeState>,
    pub draws: Vec<u64>,
}

/// Drawn words of an environment.
pub const DRAWS: usize = 50;

impl Case<f64> {
    pub fn new(layer: &AnyLayer, extent: Extent, rules: &MazeRules) -> Self {
        let (mut numbers, batch) = (Numbers::new(11), extent.batch);
        let draws = (0..batch * DRAWS).map(|_| (numbers.next() + 1.0).mul_add(9e18, 1.0) as u64).collect();
        // One environment in the middle of an episode, the others at the start of one.
        let states: Vec<MazeState> =
            (0..batch).map(|env| MazeState { agent: 24, goal: 3 * env, step: if env == 1 { 6 } else { 0 } }).collect();
        let x = |_: &mut Numbers| states.iter().flat_map(|maze| observation(rules, maze, 0.0, 0)).collect();
        Self { given: Given::new(&mut numbers, (layer, extent, ACTIONS), x, 12), draws, states }
    }

    /// The same in single precision.
    pub fn single(self) -> Case<f32> {
        let Self { given, states, draws } = self;
        Case { given: given.single(), states, draws }
    }
}

impl<T> Case<T> {
    pub fn mazes<'a>(&'a self, rules: &'a MazeRules) -> Mazes<'a> {
        Mazes { rules, states: &self.states, draws: &self.draws }
    }

    pub fn rollout<'a>(&'a self, rules: &'a MazeRules) -> Rollout<'a, T> {
        self.given.rollout(Environments::Mazes(self.mazes(rules)))
    }
}

/// What is seen of a 7×7 maze after a step.
pub fn observation(rules: &MazeRules, maze: &MazeState, reward: f64, action: usize) -> Vec<f64> {
    let (row, column) = ((maze.agent / 7) as i64, (maze.agent % 7) as i64);
    let mut seen = Vec::new();
    for (up, left) in (-1..=1).flat_map(|up| (-1..=1).map(move |left| (up, left))) {
        let (row, column) = (row + up, column + left);
        let inside = (0..7).contains(&row) && (0..7).contains(&column);
        seen.push(if inside { f64::from(rules.walls[(row * 7 + column) as usize]) } else { 1.0 });
    }
    seen.extend([0.0, 1.0, maze.step as f64 / rules.episode_length as f64, reward]);
    seen.extend((0..ACTIONS).map(|at| f64::from(u8::from(at == action))));
    seen
}
