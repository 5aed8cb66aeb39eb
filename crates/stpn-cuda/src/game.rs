//! Games that a device plays: those of POPGym whose observations depend on actions.

use crate::lengths::expect;
use crate::runner::int;
use crate::{Error, Result};

/// Numbers of a state before those of cards or squares, `GAME_TABLE` of `kernels/game.cuh`.
const TABLE: usize = 10;

/// Moves in a labyrinth: left, right, up, down.
const MOVES: usize = 4;

/// Elements that a labyrinth shows: nine squares and the last move.
const SEEN: usize = 10;

/// Which game, `GameKind` of `kernels/game.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Game {
    /// Hit all ships. Rewards: for a hit, for a miss.
    Battleship,
    /// Find pairs of cards. Rewards: for a pair, for one card without, for two.
    Concentration,
    /// Uncover all squares without a mine. Rewards: for a new one, for one seen before, for a mine.
    MineSweeper,
    /// Find the machine that pays best. Rewards: if it paid, if not.
    MultiarmedBandit,
    /// Find the exit. Rewards: for that step, for any other.
    LabyrinthEscape,
    /// Enter all squares. Rewards: the second is for a square that was entered before.
    LabyrinthExplore,
}

/// Rules of a game, with what its observation has behind its own elements. All elements are choices, which enter the
/// network one-hot.
#[derive(Clone, Debug, PartialEq)]
pub struct GameRules {
    /// Which game.
    pub game: Game,
    /// Rows and columns of a board or a labyrinth; else 0.
    pub side: usize,
    /// Steps after which an episode is cut off.
    pub limit: usize,
    /// Hits, cards found or squares uncovered that end an episode; of other games 0.
    pub goal: usize,
    /// What is seen of a card that lies face down; of other games 0.
    pub face_down: i32,
    /// As [`Game`] says.
    pub rewards: [f64; 3],
    /// `[D]` choices in each list of an action.
    pub choices: Vec<usize>,
    /// Choices in each of the game's own elements.
    pub own: Vec<usize>,
    /// Whether the action before is shown behind them; at the start of an episode the first choices.
    pub shows_action: bool,
    /// Whether it is shown behind all that an episode has just begun.
    pub shows_start: bool,
}

impl GameRules {
    fn has_board(&self) -> bool {
        matches!(self.game, Game::Battleship | Game::MineSweeper)
    }

    fn is_labyrinth(&self) -> bool {
        matches!(self.game, Game::LabyrinthEscape | Game::LabyrinthExplore)
    }

    /// Elements that show the action before.
    pub(crate) fn previous(&self) -> usize {
        if self.shows_action { self.choices.len() } else { 0 }
    }

    /// Choices of every element of an observation.
    fn elements(&self) -> impl Iterator<Item = usize> {
        let start: &[usize] = if self.shows_start { &[2] } else { &[] };
        self.own.iter().chain(&self.choices[..self.previous()]).chain(start).copied()
    }

    /// Inputs of an observation.
    pub fn observation_len(&self) -> usize {
        self.elements().sum()
    }

    /// `[O, 2]` for every input its element, and the choice that makes it 1.
    pub(crate) fn shown(&self) -> Vec<i32> {
        let of = |(element, choices): (usize, usize)| {
            (0..choices).flat_map(move |choice| [int(element), int(choice)]).collect::<Vec<i32>>()
        };
        self.elements().enumerate().flat_map(of).collect()
    }

    /// Numbers of a deal: whether a ship or a mine lies on a square, row by row; the kind of a card; the probability of
    /// a machine; or what is on the squares of a labyrinth, then its entrance, and the number of free squares.
    pub fn deal_len(&self) -> usize {
        match self.game {
            Game::Battleship | Game::MineSweeper => self.side * self.side,
            Game::Concentration => self.own.len(),
            Game::MultiarmedBandit => self.choices.iter().sum(),
            Game::LabyrinthEscape | Game::LabyrinthExplore => self.side * self.side + 2,
        }
    }

    /// Numbers of [`GameState::table`].
    pub fn table_len(&self) -> usize {
        match self.game {
            Game::Battleship | Game::MineSweeper | Game::LabyrinthExplore => self.side * self.side,
            Game::Concentration => self.own.len(),
            Game::MultiarmedBandit | Game::LabyrinthEscape => 0,
        }
    }

    pub(crate) fn state_len(&self) -> usize {
        TABLE + self.table_len()
    }

    /// Refuses rules that the kernel does not know.
    fn check(&self) -> Result<()> {
        let square = self.choices == [self.side, self.side];
        let fits = match self.game {
            Game::Battleship | Game::MineSweeper => square && self.own.len() == 1,
            Game::Concentration => self.choices == [self.own.len()],
            Game::MultiarmedBandit => self.choices.len() == 1 && self.own.len() == 1,
            Game::LabyrinthEscape | Game::LabyrinthExplore => self.choices == [MOVES] && self.own.len() == SEEN,
        };
        let sized = self.side < 1 << 10 && (self.side > 0 || !self.has_board() && !self.is_labyrinth());
        if fits && sized && self.limit > 0 && !self.choices.contains(&0) {
            return Ok(());
        }
        Err(Error::Rollout { problem: format!("there is no kernel for these rules of {:?}", self.game) })
    }
}

/// Where a game stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GameState {
    /// Steps of the episode so far.
    pub step: usize,
    /// Hits, cards found, squares uncovered or entered.
    pub count: usize,
    /// The first card of a turn that is not over, or the agent's square.
    pub place: Option<usize>,
    /// Cards to be turned back.
    pub back: [Option<usize>; 2],
    /// What is seen of every card, or 1 for every square that was tried, uncovered or entered.
    pub table: Vec<i32>,
}

/// The B games of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Games<'a> {
    /// Of all of them.
    pub rules: &'a GameRules,
    /// `[B]` before the first step.
    pub states: &'a [GameState],
    /// `[B, N, deal_len]`: the deals of an environment, from that of the episode under way on.
    pub dealt: &'a [i32],
    /// `[B, T]` of the bandit, which pays if this is smaller than the machine's number; else empty.
    pub luck: &'a [i32],
}

impl Games<'_> {
    /// The luck, or anything, since an array on a device cannot be empty.
    pub(crate) fn luck_there(&self) -> &[i32] {
        if self.luck.is_empty() { &[0] } else { self.luck }
    }

    /// N, the deals of each of `batch` environments.
    pub(crate) fn deals(&self, batch: usize) -> usize {
        self.dealt.len() / (batch * self.rules.deal_len()).max(1)
    }

    /// Refuses games that are not `batch`, or are not sound, in `steps` steps under a layer of `input` inputs.
    pub(crate) fn check(&self, steps: usize, batch: usize, input: usize) -> Result<()> {
        let Self { rules, states, dealt, luck } = *self;
        rules.check()?;
        expect("inputs of the layer", input, rules.observation_len())?;
        expect("games", states.len(), batch)?;
        expect("deals", dealt.len(), self.deals(batch).max(1) * batch * rules.deal_len())?;
        let drawn = if rules.game == Game::MultiarmedBandit { steps * batch } else { 0 };
        expect("luck", luck.len(), drawn)?;
        let squares = if rules.game == Game::Concentration { rules.own.len() } else { rules.side * rules.side };
        let within = |place: &Option<usize>| place.is_none_or(|place| place < squares);
        let sound = |state: &GameState| {
            state.step < rules.limit
                && state.table.len() == rules.table_len()
                && [state.place, state.back[0], state.back[1]].iter().all(within)
                && (state.place.is_some() || !rules.is_labyrinth())
        };
        let entrance = |deal: &[i32]| usize::try_from(deal[squares]).is_ok_and(|entrance| entrance < squares);
        let sound =
            states.iter().all(sound) && (!rules.is_labyrinth() || dealt.chunks_exact(rules.deal_len()).all(entrance));
        match sound {
            true => Ok(()),
            false => Err(Error::Rollout { problem: "a game stands where it cannot be".to_string() }),
        }
    }

    /// `[B, state_len]` as the kernel wants it.
    pub(crate) fn raw_states(&self) -> Vec<i32> {
        let place = |place: Option<usize>| place.map_or(-1, int);
        let raw = |state: &GameState| {
            let [first, second] = state.back.map(place);
            let mut raw = vec![0, int(state.step), 0, 0, int(state.count), place(state.place), first, second, 0, 0];
            raw.extend_from_slice(&state.table);
            raw
        };
        self.states.iter().flat_map(raw).collect()
    }
}
