//! Games, and rollouts in them, that the tests share.

use stpn_cuda::game::{Game, GameRules, GameState, Games};
use stpn_cuda::rollout::{Environments, Rollout};
use stpn_cuda::{AnyLayer, Extent};

use super::Numbers;
use super::rollout::Given;

/// Deals of an environment: every episode has another one.
pub const DEALS: usize = 16;

/// Small ones of every game.
pub fn rules(game: Game) -> GameRules {
    let (side, limit, goal, choices, own) = match game {
        Game::Battleship => (3, 6, 2, vec![3, 3], vec![2]),
        Game::Concentration => (0, 9, 6, vec![6], vec![4; 6]),
        Game::MineSweeper => (3, 5, 7, vec![3, 3], vec![5]),
        Game::MultiarmedBandit => (0, 4, 0, vec![3], vec![2]),
        Game::LabyrinthEscape => (3, 8, 0, vec![4], vec![5; 10]),
        Game::LabyrinthExplore => (3, 7, 0, vec![4], vec![5; 10]),
    };
    let face_down = if game == Game::Concentration { 3 } else { 0 };
    let rewards = [0.5, -0.25, -1.0];
    GameRules { game, side, limit, goal, face_down, rewards, choices, own, shows_action: true, shows_start: true }
}

pub const ALL: [Game; 6] = [
    Game::Battleship,
    Game::Concentration,
    Game::MineSweeper,
    Game::MultiarmedBandit,
    Game::LabyrinthEscape,
    Game::LabyrinthExplore,
];

/// One of `bound` numbers.
fn below(numbers: &mut Numbers, bound: usize) -> usize {
    (((numbers.next() + 1.0) / 2.0 * bound as f64) as usize).min(bound - 1)
}

fn deal(rules: &GameRules, numbers: &mut Numbers) -> Vec<i32> {
    let side = rules.side;
    match rules.game {
        Game::Battleship | Game::MineSweeper => {
            let mut board = vec![0; side * side];
            let set = if rules.game == Game::Battleship { rules.goal } else { side * side - rules.goal };
            while board.iter().sum::<i32>() < set as i32 {
                let square = below(numbers, side * side);
                board[square] = 1;
            }
            board
        }
        Game::Concentration => {
            let mut cards = vec![0, 0, 1, 1, 2, 2];
            (1..cards.len()).for_each(|at| cards.swap(at, below(numbers, at + 1)));
            cards
        }
        Game::MultiarmedBandit => (0..3).map(|_| below(numbers, 100) as i32).collect(),
        Game::LabyrinthEscape => {
            // From one end of the second row to the other; a wall is missing on one side.
            let mut squares = vec![1, 1, 1, 2, 0, 3, 1, 1, 1];
            squares[1 + 6 * below(numbers, 2)] = 0;
            [squares, vec![3, 2]].concat()
        }
        Game::LabyrinthExplore => {
            let entrance = 2 * below(numbers, 2);
            let mut squares = vec![1, 1, 1, 0, 0, 0, 1, 1, 1];
            squares[3 + entrance] = 2;
            [squares, vec![3 + entrance as i32, 2]].concat()
        }
    }
}

/// What a rollout reads, but for the rules.
pub struct Case<T> {
    pub given: Given<T>,
    pub states: Vec<GameState>,
    pub dealt: Vec<i32>,
    pub luck: Vec<i32>,
}

/// A game as it is at the start of a deal.
pub fn fresh(rules: &GameRules, deal: &[i32]) -> GameState {
    let squares = rules.side * rules.side;
    let place = matches!(rules.game, Game::LabyrinthEscape | Game::LabyrinthExplore).then(|| deal[squares] as usize);
    let mut table = vec![rules.face_down; rules.table_len()];
    if let (Game::LabyrinthExplore, Some(place)) = (rules.game, place) {
        table[place] = 1;
    }
    GameState { place, table, ..GameState::default() }
}

impl Case<f64> {
    pub fn new(layer: &AnyLayer, extent: Extent, rules: &GameRules) -> Self {
        let (mut numbers, batch) = (Numbers::new(17), extent.batch);
        let dealt: Vec<i32> = (0..batch * DEALS).flat_map(|_| deal(rules, &mut numbers)).collect();
        let states = (0..batch).map(|env| fresh(rules, &dealt[env * DEALS * rules.deal_len()..])).collect();
        let luck = match rules.game {
            Game::MultiarmedBandit => (0..batch * extent.steps).map(|_| below(&mut numbers, 100) as i32).collect(),
            _ => Vec::new(),
        };
        let input = rules.observation_len();
        let x = |numbers: &mut Numbers| numbers.vec(batch * input, 1.0);
        let choices: usize = rules.choices.iter().sum();
        let mut given = Given::new(&mut numbers, (layer, extent, choices), x, 1);
        let draws = extent.steps * batch * rules.choices.len();
        given.uniform = numbers.vec(draws, 0.5).iter().map(|value| value + 0.5).collect();
        Self { given, states, dealt, luck }
    }

    /// The same in single precision.
    pub fn single(self) -> Case<f32> {
        let Self { given, states, dealt, luck } = self;
        Case { given: given.single(), states, dealt, luck }
    }
}

impl<T> Case<T> {
    pub fn games<'a>(&'a self, rules: &'a GameRules) -> Games<'a> {
        Games { rules, states: &self.states, dealt: &self.dealt, luck: &self.luck }
    }

    pub fn rollout<'a>(&'a self, rules: &'a GameRules) -> Rollout<'a, T> {
        self.given.rollout(Environments::Games(self.games(rules)))
    }

    /// A deal of an environment.
    pub fn deal(&self, rules: &GameRules, env: usize, number: usize) -> &[i32] {
        &self.dealt[(env * DEALS + number) * rules.deal_len()..][..rules.deal_len()]
    }
}
