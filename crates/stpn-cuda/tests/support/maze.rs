//! Mazes and rollouts in them that the tests share.

use stpn_cuda::maze::{ACTIONS, MazeRules, MazeState, Mazes};
use stpn_cuda::rollout::{EnergyOf, Environments, Rollout};
use stpn_cuda::{AnyLayer, Extent};

use super::Numbers;

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
    pub extent: Extent,
    pub states: Vec<MazeState>,
    pub draws: Vec<u64>,
    pub uniform: Vec<f64>,
    pub parameters: Vec<T>,
    pub heads: Vec<T>,
    pub x: Vec<T>,
    pub starts: Vec<u8>,
    pub state: Vec<T>,
    pub mask: Vec<T>,
}

/// Drawn words of an environment.
pub const DRAWS: usize = 50;

impl Case<f64> {
    pub fn new(layer: &AnyLayer, extent: Extent, rules: &MazeRules) -> Self {
        let mut numbers = Numbers::new(11);
        let Extent { steps, batch } = extent;
        // One environment in the middle of an episode, the others at the start of one.
        let states: Vec<MazeState> =
            (0..batch).map(|env| MazeState { agent: 24, goal: 3 * env, step: if env == 1 { 6 } else { 0 } }).collect();
        let seen = |maze: &MazeState| observation(rules, maze, 0.0, 0);
        Self {
            extent,
            draws: (0..batch * DRAWS).map(|_| (numbers.next() + 1.0).mul_add(9e18, 1.0) as u64).collect(),
            uniform: numbers.vec(steps * batch, 0.5).iter().map(|value| value + 0.5).collect(),
            parameters: numbers.vec(layer.parameters(), 0.7),
            heads: numbers.vec((ACTIONS + 1) * (layer.hidden() + 1), 1.5),
            x: states.iter().flat_map(seen).collect(),
            starts: (0..batch).map(|env| u8::from(env != 1)).collect(),
            state: numbers.vec(batch * layer.state_len(), 0.4),
            mask: (0..rules.observation_len()).map(|input| f64::from(u8::from(input != 12))).collect(),
            states,
        }
    }

    /// The same in single precision.
    pub fn single(self) -> Case<f32> {
        let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Case {
            extent: self.extent,
            states: self.states,
            draws: self.draws,
            uniform: self.uniform,
            parameters: single(self.parameters),
            heads: single(self.heads),
            x: single(self.x),
            starts: self.starts,
            state: single(self.state),
            mask: single(self.mask),
        }
    }
}

impl<T> Case<T> {
    pub fn mazes<'a>(&'a self, rules: &'a MazeRules) -> Mazes<'a> {
        Mazes { rules, states: &self.states, draws: &self.draws }
    }

    pub fn rollout<'a>(&'a self, rules: &'a MazeRules) -> Rollout<'a, T> {
        Rollout {
            extent: self.extent,
            environments: Environments::Mazes(self.mazes(rules)),
            uniform: &self.uniform,
            parameters: &self.parameters,
            heads: &self.heads,
            x: &self.x,
            starts: &self.starts,
            state: &self.state,
            watched: true,
            energy: Some(EnergyOf { first: 1, every: 4, batch: 2, mask: Some(&self.mask) }),
        }
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
