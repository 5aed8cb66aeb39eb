//! Games in the form in which a device can play them.

/// A game from here on, with all that chance decides in the next steps.
#[derive(Clone, Debug, PartialEq)]
pub struct GameOnDevice {
    /// Its rules.
    pub rules: GameRules,
    /// Where it stands.
    pub state: GameState,
    /// The deal of the episode under way, then those of the next episodes, as many as can begin.
    pub deals: Vec<Vec<i32>>,
    /// At every step, if chance decides anything then: the bandit pays if this is smaller than the machine's number.
    pub luck: Vec<i32>,
}

/// Which game.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GameKind {
    /// [`super::Battleship`]
    Battleship,
    /// [`super::Concentration`]
    Concentration,
    /// [`super::MineSweeper`]
    MineSweeper,
    /// [`super::MultiarmedBandit`]
    MultiarmedBandit,
    /// [`super::LabyrinthEscape`]
    LabyrinthEscape,
    /// [`super::LabyrinthExplore`]
    LabyrinthExplore,
}

/// Rules of a game, and what its observation has behind its own elements. All elements are choices.
#[derive(Clone, Debug, PartialEq)]
pub struct GameRules {
    /// Which game.
    pub game: GameKind,
    /// Rows and columns of a board or a labyrinth; else 0.
    pub side: usize,
    /// Steps after which an episode is cut off.
    pub limit: usize,
    /// Hits, cards found or squares uncovered that end an episode; of other games 0.
    pub goal: usize,
    /// What is seen of a card that lies face down; of other games 0.
    pub face_down: i32,
    /// Battleship: for a hit, for a miss. Concentration: for a pair, for one card without, for two. MineSweeper: for a
    /// new square, for one seen before, for a mine. The bandit: if it paid, if not. Labyrinths: for the exit, for any
    /// other step, where it is no new square.
    pub rewards: [f64; 3],
    /// Choices in each list of an action.
    pub choices: Vec<usize>,
    /// Choices in each of the game's own elements.
    pub own: Vec<usize>,
    /// Whether the action before is shown behind them ([`crate::wrappers::PreviousAction`]).
    pub shows_action: bool,
    /// Whether it is shown behind all that an episode has just begun ([`crate::wrappers::Antialias`]).
    pub shows_start: bool,
}

impl GameRules {
    /// Those of a game, without a board, with those choices and own elements; the rest is 0.
    pub(super) fn new(game: GameKind, limit: usize, [choices, own]: [Vec<usize>; 2]) -> Self {
        Self {
            game,
            side: 0,
            limit,
            goal: 0,
            face_down: 0,
            rewards: [0.0; 3],
            choices,
            own,
            shows_action: false,
            shows_start: false,
        }
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
