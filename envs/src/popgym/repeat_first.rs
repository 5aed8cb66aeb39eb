//! RepeatFirst: name the first card's suit at every step.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// Cards are shown one by one; at every step the suit of the episode's first card is to be named.
///
/// Observation: the suit of the present card. Action: a suit. Reward: ±1/(n − 1) of n cards, right or wrong. Terminated
/// when the last card is shown. One deck, 8 or 16 by level.
///
/// Fault: the documentation promises a mark on the first card; there is none.
#[derive(Clone, Debug)]
pub struct RepeatFirst {
    decks: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    shown: usize,
}

impl RepeatFirst {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        Self { decks: level.of([1, 8, 16]) }
    }
}

impl Game for RepeatFirst {
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
        let right = action.discrete(4)? == deck.dealt(0).suit();
        state.shown += 1;
        let scale = 1.0 / (deck.len() - 1) as f64;
        let reward = if right { scale } else { -scale };
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
