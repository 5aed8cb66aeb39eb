//! Autoencode: a deck is shown, then has to be named backwards.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::{Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// The suits of all cards of a deck are shown one by one; then they are to be named from the last to the first.
///
/// Observation: 1 while cards are shown, else 0; and the suit shown, 0 while they are to be named. Action: a suit.
/// Reward: ±1/n of n cards for each that is named, right or wrong. Terminated when all are named. One deck, two or
/// three by level.
///
/// Fault: the last card is shown together with the demand to name cards, so that it need not be remembered.
#[derive(Clone, Debug)]
pub struct Autoencode {
    decks: usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    shown: usize,
    named: usize,
}

impl Autoencode {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        Self { decks: level.of([1, 2, 3]) }
    }
}

impl Game for Autoencode {
    type Deal = Deck;
    type Luck = ();
    type State = State;

    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::MultiDiscrete { counts: vec![2, 4] }
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
        State { shown: 1, named: 0 }
    }

    fn step(&self, deck: &Deck, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let suit = action.discrete(4)?;
        let cards = deck.len();
        if state.shown < cards {
            state.shown += 1;
            return Ok(Step::default());
        }
        state.named += 1;
        let scale = 1.0 / cards as f64;
        let reward = if suit == deck.dealt(cards - state.named).suit() { scale } else { -scale };
        Ok(Step { reward, terminated: state.named == cards, ..Step::default() })
    }

    fn observe(&self, deck: &Deck, state: &State, (): (), observation: &mut [f32]) {
        let suit = if state.named == 0 { deck.dealt(state.shown - 1).suit() } else { 0 };
        observation.copy_from_slice(&[f32::from(u8::from(state.shown < deck.len())), suit as f32]);
    }

    fn fits(&self, deck: &Deck, state: &State) -> bool {
        deck.is(self.decks) && (1..=deck.len()).contains(&state.shown) && state.named <= deck.len()
    }

    fn oracle_return(&self) -> Option<f64> {
        Some(1.0)
    }
}
