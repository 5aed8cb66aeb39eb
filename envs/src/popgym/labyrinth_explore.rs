//! LabyrinthExplore: enter every square once.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::labyrinth::{self, FREE, GOAL, MOVES, STEP_REWARD, STEPS, Walk, observation_space, rooms};
use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, board, staged};
use super::{Game, Labyrinth, Level};
use crate::{Action, Result, Space, Step};

/// A labyrinth with an entrance, of which the agent sees 3×3 squares.
///
/// Observation: those squares (0 free, 1 wall, 2 start) and the last move, 4 at the start. Action: left, right, up or
/// down. Reward: 1/n of n free squares for a new one, −1/1024 for any other step. Terminated when all are visited,
/// truncated after 1,023 steps. Squares by level: 11×11, 15×15, 19×19.
///
/// Faults: those of [`LabyrinthEscape`](super::LabyrinthEscape).
#[derive(Clone, Debug)]
pub struct LabyrinthExplore {
    rooms: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    walk: Walk,
    visited: Vec<bool>,
    /// Free squares not yet visited.
    left: usize,
    /// Free squares at the start.
    free: usize,
}

impl LabyrinthExplore {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        Self { rooms: rooms(level) }
    }
}

impl Game for LabyrinthExplore {
    type Deal = Labyrinth;
    type Luck = ();
    type State = State;

    fn observation_space(&self) -> Space {
        observation_space()
    }

    fn action_space(&self) -> Space {
        Space::discrete(MOVES)
    }

    fn blank(&self) -> Labyrinth {
        Labyrinth::new(self.rooms, false)
    }

    fn deal(&self, labyrinth: &mut Labyrinth, stream: &mut Stream) {
        labyrinth.draw(self.rooms, false, stream);
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, labyrinth: &Labyrinth) -> State {
        let (walk, free) = (labyrinth.enter(), labyrinth.count(FREE));
        let mut visited = vec![false; labyrinth.side() * labyrinth.side()];
        visited.get_mut(walk.at).into_iter().for_each(|visited| *visited = true);
        State { walk, visited, left: free, free }
    }

    fn start(&self, labyrinth: &Labyrinth, state: &mut State) {
        (state.walk, state.free) = (labyrinth.enter(), labyrinth.count(FREE));
        state.visited.fill(false);
        state.visited[state.walk.at] = true;
        state.left = state.free;
    }

    fn step(&self, labyrinth: &Labyrinth, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        labyrinth.walk(&mut state.walk, action.discrete(MOVES)?);
        let visited = &mut state.visited[state.walk.at];
        let reward = if *visited { STEP_REWARD } else { 1.0 / state.free as f64 };
        state.left -= usize::from(!*visited);
        *visited = true;
        Ok(Step { reward, terminated: state.left == 0, truncated: state.walk.steps == STEPS, ..Step::default() })
    }

    fn observe(&self, labyrinth: &Labyrinth, state: &State, (): (), observation: &mut [f32]) {
        labyrinth.observe(&state.walk, observation);
    }

    fn fits(&self, labyrinth: &Labyrinth, state: &State) -> bool {
        let left = || (0..state.visited.len()).filter(|&at| labyrinth.at(at) == FREE && !state.visited[at]).count();
        labyrinth.fits(self.rooms, &state.walk)
            && labyrinth.count(GOAL) == 0
            && state.visited.len() == labyrinth.side() * labyrinth.side()
            && state.free == labyrinth.count(FREE)
            && state.left == left()
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for LabyrinthExplore {
    fn rules(&self) -> GameRules {
        GameRules { rewards: [0.0, STEP_REWARD, 0.0], ..labyrinth::rules(GameKind::LabyrinthExplore, self.rooms) }
    }

    fn stands(&self, _: &Labyrinth, state: &State) -> GameState {
        let (step, count) = (state.walk.steps as usize, state.free - state.left);
        GameState { step, count, place: Some(state.walk.at), table: board(&state.visited), ..GameState::default() }
    }

    fn deal_numbers(&self, labyrinth: &Labyrinth) -> Vec<i32> {
        labyrinth.numbers()
    }

    fn least_steps(&self, labyrinth: &Labyrinth) -> usize {
        labyrinth.count(FREE)
    }
}
