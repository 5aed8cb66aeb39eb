//! CountRecall: how often was that card shown?

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Card, Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// Two decks are shown side by side, a card of each at a time: how often has the first deck shown the kind of card that
/// the second one shows?
///
/// Observation: the kinds of both cards. Action: the number. Reward: ±1/(n − 1) of n cards, right or wrong. Terminated
/// when the last cards are shown. Decks on each side and kinds by level: 1 by colour, 2 by suit, 4 by rank.
///
/// Fault: the documentation has rewards for numbers that are nearly right (`error_clamp`); there are none.
#[derive(Clone, Debug)]
pub struct CountRecall {
    decks: usize,
    kinds: usize,
    kind: fn(Card) -> usize,
}

/// The decks of an episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decks {
    /// The cards that are counted.
    pub values: Deck,
    /// The cards that are asked for.
    pub queries: Deck,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    shown: usize,
    /// How often every kind was shown; beyond the kinds of the level 0.
    counts: [usize; 13],
}

impl CountRecall {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let (decks, kinds, kind): (_, _, fn(Card) -> usize) =
            level.of([(1, 2, Card::color as fn(Card) -> usize), (2, 4, Card::suit), (4, 13, Card::rank)]);
        Self { decks, kinds, kind }
    }

    fn cards(&self) -> usize {
        52 * self.decks
    }

    /// Numbers that can be said: none, or as often as there are cards of a kind.
    fn numbers(&self) -> usize {
        self.cards() / self.kinds + 1
    }
}

impl Game for CountRecall {
    type Deal = Decks;
    type Luck = ();
    type State = State;

    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::MultiDiscrete { counts: vec![self.kinds; 2] }
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.numbers())
    }

    fn blank(&self) -> Decks {
        Decks { values: Deck::new(self.decks), queries: Deck::new(self.decks) }
    }

    fn deal(&self, decks: &mut Decks, stream: &mut Stream) {
        decks.values.shuffle(stream);
        decks.queries.shuffle(stream);
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, decks: &Decks) -> State {
        let mut state = State { shown: 1, counts: [0; 13] };
        state.counts[(self.kind)(decks.values.dealt(0))] = 1;
        state
    }

    fn step(&self, decks: &Decks, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let number = action.discrete(self.numbers())?;
        let right = number == state.counts[(self.kind)(decks.queries.dealt(state.shown - 1))];
        state.counts[(self.kind)(decks.values.dealt(state.shown))] += 1;
        state.shown += 1;
        let scale = 1.0 / (self.cards() - 1) as f64;
        let reward = if right { scale } else { -scale };
        Ok(Step { reward, terminated: state.shown == self.cards(), ..Step::default() })
    }

    fn observe(&self, decks: &Decks, state: &State, (): (), observation: &mut [f32]) {
        let kind = |deck: &Deck| (self.kind)(deck.dealt(state.shown - 1)) as f32;
        observation.copy_from_slice(&[kind(&decks.values), kind(&decks.queries)]);
    }

    fn fits(&self, decks: &Decks, state: &State) -> bool {
        decks.values.is(self.decks) && decks.queries.is(self.decks) && (1..=self.cards()).contains(&state.shown)
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(1.0)
    }
}
