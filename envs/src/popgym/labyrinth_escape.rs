//! LabyrinthEscape: find the way out.

use stpn_random::Stream;

use super::labyrinth::{self, GOAL, MOVES, STEP_REWARD, STEPS, Walk, observation_space, rooms};
use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, staged};
use super::{Game, Labyrinth, Level};
use crate::{Action, Result, Space, Step};

/// A labyrinth with an entrance and an exit on the other side, of which the agent sees 3×3 squares.
///
/// Observation: those squares (0 free, 1 wall, 2 start, 3 exit) and the last move, 4 at the start. Action: left, right,
/// up or down. Reward: −1/1024 a step, and 1 at the exit. Terminated there, truncated after 1,023 steps. Squares by
/// level: 11×11, 15×15, 19×19.
///
/// Faults: episodes are one step shorter than the 1,024 that rewards are made for. In the first row and column the view
/// is not centred on the agent. The package itself advises against its labyrinths: an agent without memory does well
/// there.
#[derive(Clone, Debug)]
pub struct LabyrinthEscape {
    rooms: usize,
}

impl LabyrinthEscape {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        Self { rooms: rooms(level) }
    }
}

impl Game for LabyrinthEscape {
    type Deal = Labyrinth;
    type Luck = ();
    type State = Walk;

    fn observation_space(&self) -> Space {
        observation_space()
    }

    fn action_space(&self) -> Space {
        Space::discrete(MOVES)
    }

    fn blank(&self) -> Labyrinth {
        Labyrinth::new(self.rooms, true)
    }

    fn deal(&self, labyrinth: &mut Labyrinth, stream: &mut Stream) {
        labyrinth.draw(self.rooms, true, stream);
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, labyrinth: &Labyrinth) -> Walk {
        labyrinth.enter()
    }

    fn step(&self, labyrinth: &Labyrinth, walk: &mut Walk, action: Action<'_>, (): ()) -> Result<Step> {
        labyrinth.walk(walk, action.discrete(MOVES)?);
        let terminated = labyrinth.at(walk.at) == GOAL;
        let reward = if terminated { STEP_REWARD + 1.0 } else { STEP_REWARD };
        Ok(Step { reward, terminated, truncated: walk.steps == STEPS, ..Step::default() })
    }

    fn observe(&self, labyrinth: &Labyrinth, walk: &Walk, (): (), observation: &mut [f32]) {
        labyrinth.observe(walk, observation);
    }

    fn fits(&self, labyrinth: &Labyrinth, walk: &Walk) -> bool {
        labyrinth.fits(self.rooms, walk) && labyrinth.count(GOAL) == 1
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for LabyrinthEscape {
    fn rules(&self) -> GameRules {
        GameRules {
            rewards: [STEP_REWARD + 1.0, STEP_REWARD, 0.0],
            ..labyrinth::rules(GameKind::LabyrinthEscape, self.rooms)
        }
    }

    fn stands(&self, _: &Labyrinth, walk: &Walk) -> GameState {
        GameState { step: walk.steps as usize, place: Some(walk.at), ..GameState::default() }
    }

    fn deal_numbers(&self, labyrinth: &Labyrinth) -> Vec<i32> {
        labyrinth.numbers()
    }

    fn least_steps(&self, labyrinth: &Labyrinth) -> usize {
        labyrinth.across()
    }
}
