//! RepeatPrevious: name the suit of the card shown k − 1 cards ago.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// Cards are shown one by one; from the k-th on, the suit of the first of the last k is to be named.
///
/// Observation: the suit of the present card. Action: a suit. Reward: ±1/(n − k) of n cards, right or wrong, once k
/// cards were shown. Terminated when the last card is shown. Decks and k by level: 1 and 4, 2 and 32, 3 and 64.
///
/// Fault: of "the card from k timesteps ago", the present one counts as the first, so that k − 1 lie between.
#[derive(Clone, Debug)]
pub struct RepeatPrevious {
    decks: usize,
    k: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    shown: usize,
}

impl RepeatPrevious {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let (decks, k) = level.of([(1, 4), (2, 32), (3, 64)]);
        Self { decks, k }
    }
}

impl Game for RepeatPrevious {
    type Deal = Deck;
    type Luck = ();
    type State = State;

    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::discrete(4)
    }

    fn action_space(&self) -> Space {
        Space::discrete(4)
    }

    fn blank(&self) -> Deck {
        Deck::new(self.decks)
    }

    fn deal(&self, deck: &mut Deck, stream: &mut Stream) {
        deck.shuffle(stream);
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, _: &Deck) -> State {
        State { shown: 1 }
    }

    fn step(&self, deck: &Deck, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let suit = action.discrete(4)?;
        let scale = 1.0 / (deck.len() - self.k) as f64;
        let reward = match state.shown.checked_sub(self.k) {
            None => 0.0,
            Some(wanted) if suit == deck.dealt(wanted).suit() => scale,
            Some(_) => -scale,
        };
        state.shown += 1;
        Ok(Step { reward, terminated: state.shown == deck.len(), ..Step::default() })
    }

    fn observe(&self, deck: &Deck, state: &State, (): (), observation: &mut [f32]) {
        observation[0] = deck.dealt(state.shown - 1).suit() as f32;
    }

    fn fits(&self, deck: &Deck, state: &State) -> bool {
        deck.is(self.decks) && (1..=deck.len()).contains(&state.shown)
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(1.0)
    }
}
