//! HigherLower: will the next card be higher or lower?

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// A deck is turned over card by card; before each it is to be said whether its rank will be higher than the last
/// one's. Who remembers the cards that are gone, says so more often rightly.
///
/// Observation: the rank of the present card. Action: 0 for higher, 1 for lower. Reward: ±1/n of n cards, right or
/// wrong, and 0 if the ranks are equal. Terminated when the last card is turned over. One deck, two or three by level.
///
/// Fault: rewards are divided by the number of cards, which is one more than that of guesses.
#[derive(Clone, Debug)]
pub struct HigherLower {
    decks: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    shown: usize,
}

impl HigherLower {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        Self { decks: level.of([1, 2, 3]) }
    }
}

impl Game for HigherLower {
    type Deal = Deck;
    type Luck = ();
    type State = State;

    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::discrete(13)
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
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
        let higher = action.discrete(2)? == 0;
        let (last, next) = (deck.dealt(state.shown - 1).rank(), deck.dealt(state.shown).rank());
        state.shown += 1;
        let scale = 1.0 / deck.len() as f64;
        let reward = if next == last {
            0.0
        } else if (next > last) == higher {
            scale
        } else {
            -scale
        };
        Ok(Step { reward, terminated: state.shown == deck.len(), ..Step::default() })
    }

    fn observe(&self, deck: &Deck, state: &State, (): (), observation: &mut [f32]) {
        observation[0] = deck.dealt(state.shown - 1).rank() as f32;
    }

    fn fits(&self, deck: &Deck, state: &State) -> bool {
        deck.is(self.decks) && (1..=deck.len()).contains(&state.shown)
    }
}
