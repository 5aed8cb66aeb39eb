//! MineSweeper: uncover every square without a mine, without a look at the board.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, board, staged};
use super::{Game, Level};
use crate::{Action, Result, Space, Step};

/// Mines lie on a square board. The player names squares and hears how many mines lie on it and around it.
///
/// Observation: that number, 0 at the start. Action: row and column. Reward, with c squares without a mine: 1/c for a
/// new one, −1/2/(c − 2) for one seen before, −1/2 − 1/c for a mine. Terminated by a mine and when all c are seen,
/// truncated after c steps. Sides and mines by level: 4 and 2, 6 and 6, 8 and 10.
///
/// Fault: an episode has just as many steps as there are squares to be seen, so that one seen twice makes it impossible
/// to win.
#[derive(Clone, Debug)]
pub struct MineSweeper {
    side: usize,
    mines: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    seen: Vec<bool>,
    /// Squares without a mine that were seen.
    cleared: usize,
    steps: usize,
    number: u8,
}

impl MineSweeper {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let (side, mines) = level.of([(4, 2), (6, 6), (8, 10)]);
        Self { side, mines }
    }

    /// Squares without a mine.
    fn clear(&self) -> usize {
        self.side * self.side - self.mines
    }

    /// Rewards for a new square, for one seen before, and for a mine.
    fn rewards(&self) -> [f64; 3] {
        let clear = self.clear();
        let found = 1.0 / clear as f64;
        [found, -0.5 / (clear - 2) as f64, -0.5 - found]
    }

    /// Mines on a square and around it.
    fn number(&self, board: &[bool], row: usize, column: usize) -> u8 {
        let around = |at: usize| at.saturating_sub(1)..(at + 2).min(self.side);
        let mines =
            |row: usize| board[row * self.side..][around(column)].iter().map(|&mine| u8::from(mine)).sum::<u8>();
        around(row).map(mines).sum()
    }
}

impl Game for MineSweeper {
    /// Whether a mine lies on a square, row by row.
    type Deal = Vec<bool>;
    type Luck = ();
    type State = State;

    fn observation_space(&self) -> Space {
        Space::discrete((self.mines + 1).min(10))
    }

    fn action_space(&self) -> Space {
        Space::MultiDiscrete { counts: vec![self.side; 2] }
    }

    fn blank(&self) -> Vec<bool> {
        (0..self.side * self.side).map(|square| square < self.mines).collect()
    }

    fn deal(&self, board: &mut Vec<bool>, stream: &mut Stream) {
        board.fill(false);
        for _ in 0..self.mines {
            loop {
                let square = stream.below(board.len());
                if !board[square] {
                    board[square] = true;
                    break;
                }
            }
        }
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, board: &Vec<bool>) -> State {
        State { seen: vec![false; board.len()], cleared: 0, steps: 0, number: 0 }
    }

    fn start(&self, _: &Vec<bool>, state: &mut State) {
        state.seen.fill(false);
        (state.cleared, state.steps, state.number) = (0, 0, 0);
    }

    fn step(&self, board: &Vec<bool>, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let choices = action.choices(&[self.side; 2])?;
        let (row, column) = (choices[0] as usize, choices[1] as usize);
        let square = row * self.side + column;
        let clear = self.clear();
        let [found, again, exploded] = self.rewards();
        let mine = board[square];
        let reward = if mine {
            exploded
        } else if state.seen[square] {
            again
        } else {
            state.cleared += 1;
            found
        };
        state.seen[square] |= !mine;
        state.steps += 1;
        state.number = self.number(board, row, column);
        let terminated = mine || state.cleared == clear;
        let truncated = state.steps == clear && !terminated;
        Ok(Step { reward, terminated, truncated, ..Step::default() })
    }

    fn observe(&self, _: &Vec<bool>, state: &State, (): (), observation: &mut [f32]) {
        observation[0] = state.number.into();
    }

    fn fits(&self, board: &Vec<bool>, state: &State) -> bool {
        let squares = self.side * self.side;
        let mines = board.iter().filter(|&&mine| mine).count();
        (board.len(), state.seen.len(), mines) == (squares, squares, self.mines)
            && state.cleared <= self.clear()
            && state.steps <= self.clear()
            && usize::from(state.number) <= self.mines.min(9)
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for MineSweeper {
    fn rules(&self) -> GameRules {
        let (clear, kinds) = (self.clear(), (self.mines + 1).min(10));
        let rules = GameRules::new(GameKind::MineSweeper, clear, [vec![self.side; 2], vec![kinds]]);
        GameRules { side: self.side, goal: clear, rewards: self.rewards(), ..rules }
    }

    fn stands(&self, _: &Vec<bool>, state: &State) -> GameState {
        GameState { step: state.steps, count: state.cleared, table: board(&state.seen), ..GameState::default() }
    }

    fn deal_numbers(&self, mines: &Vec<bool>) -> Vec<i32> {
        board(mines)
    }

    fn least_steps(&self, _: &Vec<bool>) -> usize {
        1
    }
}
