//! The maze as an environment.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Grid, MazeConfig, MazeOnDevice, Position, expected_return};
use crate::{Action, Dtype, Env, Error, ObservationMut, OnDevice, Result, Space, Step, state};

const ACTIONS: usize = 4;

/// The maze. Actions: 0 up, 1 down, 2 left, 3 right.
///
/// - An episode starts in the centre, its goal drawn uniformly from the free cells. Standing on the goal after a step
///   gives the reward and moves the agent to a free cell drawn uniformly from those other than the goal. The centre
///   may itself be the goal: there is no reward for starting on it, the agent has to leave and come back (no wall is
///   next to the centre, so that every first step leaves it).
/// - A step into a wall leaves the agent where it is and costs `wall_penalty`.
/// - Every episode has `episode_length` steps. Its end is a termination, not a truncation: the observation contains
///   the time, so that the end is part of the task, and the published returns are not bootstrapped.
///
/// Observation, (2r+1)² + 8 numbers for view radius r: the patch of cells around the agent, row by row, 1 for a wall
/// and for what lies outside the grid; an unused 0; a constant 1; step / episode length; the reward of the last step;
/// the last action, one-hot. At the start of an episode the reward is 0 and the action 0.
#[derive(Debug)]
pub struct Maze {
    config: MazeConfig,
    grid: Grid,
    /// The grid as the agent sees it, with `view_radius` rows and columns of wall on every side.
    seen: Vec<f32>,
    observation_space: Space,
    action_space: Space,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    stream: Stream,
    agent: Position,
    /// Index among the free cells.
    goal: usize,
    step: u32,
    last_action: usize,
    last_reward: f64,
    running: bool,
}

impl MazeConfig {
    /// The maze with these settings.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn make(&self) -> Result<Maze> {
        Maze::new(self.clone())
    }
}

impl Maze {
    /// A maze of those settings.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings.
    pub fn new(config: MazeConfig) -> Result<Self> {
        config.validate()?;
        let grid = Grid::new(config.size);
        let (radius, side) = (config.view_radius, config.size + 2 * config.view_radius);
        let seen = (0..side * side)
            .map(|at| {
                // Cells above and left of the grid wrap to huge numbers, which lie outside as well.
                let (row, column) = ((at / side).wrapping_sub(radius), (at % side).wrapping_sub(radius));
                if grid.is_wall(Position { row, column }) { 1.0 } else { 0.0 }
            })
            .collect();
        let len = config.observation_len();
        let (mut low, mut high) = (vec![0.0; len], vec![1.0; len]);
        let rest = len - 8;
        high[rest] = 0.0;
        low[rest + 1] = 1.0;
        low[rest + 3] = -config.wall_penalty as f32;
        high[rest + 3] = config.reward as f32;
        let agent = grid.centre();
        Ok(Self {
            config,
            grid,
            seen,
            observation_space: Space::Box { low, high, shape: vec![len], dtype: Dtype::F32 },
            action_space: Space::discrete(ACTIONS),
            state: State {
                stream: Stream::from_seed(0),
                agent,
                goal: 0,
                step: 0,
                last_action: 0,
                last_reward: 0.0,
                running: false,
            },
        })
    }

    /// Its settings.
    pub fn config(&self) -> &MazeConfig {
        &self.config
    }

    /// Walls and free cells.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Where the agent is.
    pub fn agent(&self) -> Position {
        self.state.agent
    }

    /// Where the goal of this episode is.
    pub fn goal(&self) -> Position {
        self.grid.free()[self.state.goal]
    }

    /// Steps taken in this episode.
    pub fn steps(&self) -> u32 {
        self.state.step
    }

    fn observe(&self, observation: ObservationMut<'_>) -> Result<()> {
        let values = observation.f32(self.config.observation_len())?;
        let (side, width) = (self.config.view_side(), self.config.size + 2 * self.config.view_radius);
        let (patch, rest) = values.split_at_mut(side * side);
        // In `seen`, which starts `view_radius` earlier, the agent's own coordinates are the patch's corner.
        let Position { row, column } = self.state.agent;
        for (line, patch) in patch.chunks_exact_mut(side).enumerate() {
            patch.copy_from_slice(&self.seen[(row + line) * width + column..][..side]);
        }
        rest.fill(0.0);
        rest[1] = 1.0;
        rest[2] = self.state.step as f32 / self.config.episode_length as f32;
        rest[3] = self.state.last_reward as f32;
        rest[4 + self.state.last_action] = 1.0;
        Ok(())
    }

    /// Moves the agent to a free cell other than the goal.
    fn relocate(&mut self) {
        let free = self.grid.free();
        let drawn = self.state.stream.below(free.len() - 1);
        self.state.agent = free[if drawn < self.state.goal { drawn } else { drawn + 1 }];
    }
}

impl Env for Maze {
    fn name(&self) -> &str {
        "maze"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let state = &mut self.state;
        if let Some(seed) = seed {
            state.stream = Stream::from_seed(seed);
        }
        state.agent = self.grid.centre();
        state.goal = state.stream.below(self.grid.free().len());
        (state.step, state.last_action, state.last_reward, state.running) = (0, 0, 0.0, true);
        self.observe(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let action = action.discrete(ACTIONS)?;
        if !self.state.running {
            return Err(Error::ResetNeeded { environment: self.name().into() });
        }
        let next = self.state.agent.neighbour(action);
        let mut reward = 0.0;
        if self.grid.is_wall(next) {
            reward -= self.config.wall_penalty;
        } else {
            self.state.agent = next;
        }
        if self.state.agent == self.goal() {
            reward += self.config.reward;
            self.relocate();
        }
        self.state.step += 1;
        (self.state.last_action, self.state.last_reward) = (action, reward);
        let terminated = self.state.step == self.config.episode_length;
        self.state.running = !terminated;
        self.observe(observation)?;
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(self.name(), &self.state, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: State = state::restore(self.name(), bytes)?;
        let possible = !self.grid.is_wall(saved.agent)
            && saved.goal < self.grid.free().len()
            && saved.step <= self.config.episode_length
            && saved.last_action < ACTIONS
            && (-self.config.wall_penalty..=self.config.reward).contains(&saved.last_reward);
        if !possible {
            return Err(state::refused(self.name(), "it is of a maze with other settings"));
        }
        self.state = saved;
        Ok(())
    }

    fn on_device(&self, _steps: usize) -> Option<OnDevice> {
        let State { agent, goal, step, running, ref stream, .. } = self.state;
        let (config, stream) = (self.config.clone(), stream.clone());
        running.then_some(OnDevice::Maze(MazeOnDevice { config, agent, goal, step, stream }))
    }

    fn oracle_return(&self) -> Option<f64> {
        expected_return(&self.config).ok()
    }

    /// Two characters a cell: `██` wall, `@@` agent, `$$` goal.
    fn render(&self) -> Option<String> {
        let size = self.grid.size();
        let cell = |position| match position {
            _ if position == self.agent() => "@@",
            _ if position == self.goal() => "$$",
            _ if self.grid.is_wall(position) => "██",
            _ => "  ",
        };
        let line = |row| (0..size).map(|column| cell(Position { row, column })).collect::<String>() + "\n";
        Some((0..size).map(line).collect())
    }
}
