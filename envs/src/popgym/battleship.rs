//! Battleship: hit all ships without a look at the board.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, board, staged};
use super::{Game, Level};
use crate::{Action, Result, Space, Step};

/// Lengths of the ships.
const SHIPS: [usize; 4] = [2, 3, 3, 4];

/// Squares that ships lie on.
const TARGETS: u32 = 12;

/// Ships lie on a square board, along its sides and not on each other. The player names squares and hears whether a
/// ship was hit; where it has shot already, it has to remember.
///
/// Observation: 1 for a hit, 0 for a miss and at the start. Action: row and column. Reward: 1/12 for a hit of the 12
/// squares of ships, −1/(n − 12) for a miss, on a board of n squares; a second shot at a square is a miss. Terminated
/// when all are hit, truncated after n shots. Sides by level: 8, 10, 12.
#[derive(Clone, Debug)]
pub struct Battleship {
    side: usize,
    /// The reward for a miss.
    miss: f64,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    tried: Vec<bool>,
    shots: u32,
    hits: u32,
    hit: bool,
}

impl Battleship {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let side = level.of([8, 10, 12]);
        Self { side, miss: -1.0 / f64::from((side * side) as u32 - TARGETS) }
    }

    fn squares(&self) -> u32 {
        (self.side * self.side) as u32
    }

    /// The squares of a ship that begins somewhere and lies along a row or column; none if it does not fit on the
    /// board.
    fn ship(&self, stream: &mut Stream, length: usize) -> Option<impl Iterator<Item = usize> + Clone + use<>> {
        let (row, column) = (stream.below(self.side), stream.below(self.side));
        let (along_column, forward) = (stream.below(2) == 0, stream.below(2) == 0);
        let (begin, stride) = if along_column { (row, self.side) } else { (column, 1) };
        let reach = length - 1;
        let fits = if forward { begin + reach < self.side } else { begin >= reach };
        let first = row * self.side + column - if fits && !forward { reach * stride } else { 0 };
        fits.then(|| (0..length).map(move |at| first + at * stride))
    }
}

impl Game for Battleship {
    /// Whether a ship lies on a square, row by row.
    type Deal = Vec<bool>;
    type Luck = ();
    type State = State;

    fn observation_space(&self) -> Space {
        Space::discrete(2)
    }

    fn action_space(&self) -> Space {
        Space::MultiDiscrete { counts: vec![self.side; 2] }
    }

    fn blank(&self) -> Vec<bool> {
        let mut board = vec![false; self.side * self.side];
        self.deal(&mut board, &mut Stream::from_seed(0));
        board
    }

    fn deal(&self, board: &mut Vec<bool>, stream: &mut Stream) {
        board.fill(false);
        for length in SHIPS {
            loop {
                let Some(ship) = self.ship(stream, length) else { continue };
                if !ship.clone().any(|square| board[square]) {
                    ship.for_each(|square| board[square] = true);
                    break;
                }
            }
        }
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, board: &Vec<bool>) -> State {
        State { tried: vec![false; board.len()], shots: 0, hits: 0, hit: false }
    }

    fn start(&self, _: &Vec<bool>, state: &mut State) {
        state.tried.fill(false);
        (state.shots, state.hits, state.hit) = (0, 0, false);
    }

    fn step(&self, board: &Vec<bool>, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let choices = action.choices(&[self.side; 2])?;
        let square = choices[0] as usize * self.side + choices[1] as usize;
        state.hit = board[square] && !state.tried[square];
        state.tried[square] = true;
        state.shots += 1;
        state.hits += u32::from(state.hit);
        let reward = if state.hit { 1.0 / f64::from(TARGETS) } else { self.miss };
        let (terminated, truncated) = (state.hits == TARGETS, state.shots >= self.squares());
        Ok(Step { reward, terminated, truncated, ..Step::default() })
    }

    fn observe(&self, _: &Vec<bool>, state: &State, (): (), observation: &mut [f32]) {
        observation[0] = f32::from(u8::from(state.hit));
    }

    fn fits(&self, board: &Vec<bool>, state: &State) -> bool {
        let squares = self.squares() as usize;
        let ships = board.iter().filter(|&&ship| ship).count() as u32;
        (board.len(), state.tried.len(), ships) == (squares, squares, TARGETS)
            && state.shots <= self.squares()
            && state.hits <= TARGETS
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for Battleship {
    fn rules(&self) -> GameRules {
        let rules = GameRules::new(GameKind::Battleship, self.squares() as usize, [vec![self.side; 2], vec![2]]);
        let rewards = [1.0 / f64::from(TARGETS), self.miss, 0.0];
        GameRules { side: self.side, goal: TARGETS as usize, rewards, ..rules }
    }

    fn stands(&self, _: &Vec<bool>, state: &State) -> GameState {
        let (step, count) = (state.shots as usize, state.hits as usize);
        GameState { step, count, table: board(&state.tried), ..GameState::default() }
    }

    fn deal_numbers(&self, ships: &Vec<bool>) -> Vec<i32> {
        board(ships)
    }

    fn least_steps(&self, _: &Vec<bool>) -> usize {
        TARGETS as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ships_lie_everywhere_on_the_board_and_not_on_each_other() {
        let (game, mut stream) = (Battleship::new(Level::Easy), Stream::from_seed(1));
        let (mut board, mut often) = (game.blank(), vec![0; 64]);
        for _ in 0..2_000 {
            game.deal(&mut board, &mut stream);
            assert_eq!(board.iter().filter(|&&ship| ship).count(), 12);
            board.iter().zip(&mut often).for_each(|(&ship, often)| *often += usize::from(ship));
        }
        // Fewer places reach a corner than the middle; turned or mirrored, a board is as probable.
        let near = |left: usize, right: usize| left.abs_diff(right) < 100;
        assert!(near(often[0], often[63]) && near(often[7], often[56]) && near(often[1], often[8]), "{often:?}");
        assert!(often[0] > 80 && often[27] > often[0] + 100, "{often:?}");
    }
}
