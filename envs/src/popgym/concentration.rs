//! Concentration, also called pairs: find two cards that are alike, all face down.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, staged};
use super::{Card, Deck, Game, Level};
use crate::{Action, Result, Space, Step};

/// All cards lie face down. A turn flips two of them; if they are alike they stay face up, otherwise they are turned
/// back, after one more look at both.
///
/// Observation: the kind of every card, or the number of kinds for one that lies face down. Action: the card to flip.
/// Reward: 2/n of n cards for a pair; −1/(2n) for each card of a turn without one. A turn ends at once without a pair
/// if a card is chosen that is face up for good. Terminated when all are found, truncated after 2n steps. Decks and
/// kinds by level: 1 by colour, 2 by colour, 1 by rank.
#[derive(Clone, Debug)]
pub struct Concentration {
    decks: usize,
    kinds: u8,
    kind: fn(Card) -> usize,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// What is seen of every card.
    table: Vec<u8>,
    /// The first card of a turn that is not over.
    first: Option<usize>,
    /// Cards to be turned back before the next is flipped.
    back: [Option<usize>; 2],
    found: usize,
    steps: usize,
}

impl Concentration {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let (decks, kinds, kind): (_, _, fn(Card) -> usize) =
            level.of([(1, 2, Card::color as fn(Card) -> usize), (2, 2, Card::color), (1, 13, Card::rank)]);
        Self { decks, kinds, kind }
    }

    fn cards(&self) -> usize {
        52 * self.decks
    }

    fn kind_at(&self, deck: &Deck, card: usize) -> u8 {
        (self.kind)(deck.at(card)) as u8
    }

    /// The reward for a pair.
    fn success(&self) -> f64 {
        1.0 / (self.cards() / 2) as f64
    }

    /// That for a card of a turn without one.
    fn failure(&self) -> f64 {
        -1.0 / self.limit() as f64
    }

    /// Steps of the longest episode. The package rounds 2n − n/(2n − 1) up, the mean number of flips of a perfect
    /// player.
    fn limit(&self) -> usize {
        2 * self.cards()
    }
}

impl Game for Concentration {
    type Deal = Deck;
    type Luck = ();
    type State = State;

    fn observation_space(&self) -> Space {
        Space::MultiDiscrete { counts: vec![usize::from(self.kinds) + 1; self.cards()] }
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.cards())
    }

    fn blank(&self) -> Deck {
        Deck::new(self.decks)
    }

    fn deal(&self, deck: &mut Deck, stream: &mut Stream) {
        deck.shuffle(stream);
    }

    fn luck(&self, _: &mut Stream) {}

    fn fresh(&self, deck: &Deck) -> State {
        State { table: vec![self.kinds; deck.len()], first: None, back: [None; 2], found: 0, steps: 0 }
    }

    fn start(&self, _: &Deck, state: &mut State) {
        state.table.fill(self.kinds);
        (state.first, state.back, state.found, state.steps) = (None, [None; 2], 0, 0);
    }

    fn step(&self, deck: &Deck, state: &mut State, action: Action<'_>, (): ()) -> Result<Step> {
        let card = action.discrete(self.cards())?;
        let State { table, first, back, found, steps } = state;
        back.iter_mut().filter_map(Option::take).for_each(|card| table[card] = self.kinds);
        let (face_down, kind) = (self.kinds, self.kind_at(deck, card));
        let found_before = table[card] != face_down && *first != Some(card);
        table[card] = kind;
        let failure = self.failure();
        let reward = match first.take() {
            other if found_before => {
                back[0] = other;
                failure * if other.is_some() { 2.0 } else { 1.0 }
            }
            None => {
                *first = Some(card);
                0.0
            }
            Some(other) if other != card && table[other] == kind => {
                *found += 2;
                self.success()
            }
            Some(other) => {
                *back = [Some(other), Some(card)];
                2.0 * failure
            }
        };
        *steps += 1;
        let (terminated, truncated) = (*found == self.cards(), *steps >= self.limit());
        Ok(Step { reward, terminated, truncated, ..Step::default() })
    }

    fn observe(&self, _: &Deck, state: &State, (): (), observation: &mut [f32]) {
        observation.iter_mut().zip(&state.table).for_each(|(seen, &kind)| *seen = kind.into());
    }

    fn fits(&self, deck: &Deck, state: &State) -> bool {
        let cards = self.cards();
        let mut named = state.first.iter().chain(state.back.iter().flatten());
        deck.is(self.decks)
            && state.table.len() == cards
            && state.table.iter().enumerate().all(|(at, &kind)| kind == self.kinds || kind == self.kind_at(deck, at))
            && named.all(|&card| card < cards)
            && state.found <= cards
            && state.steps <= self.limit()
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for Concentration {
    fn rules(&self) -> GameRules {
        let (cards, failure) = (self.cards(), self.failure());
        let own = vec![usize::from(self.kinds) + 1; cards];
        let rewards = [self.success(), failure, 2.0 * failure];
        let rules = GameRules::new(GameKind::Concentration, self.limit(), [vec![cards], own]);
        GameRules { goal: cards, face_down: self.kinds.into(), rewards, ..rules }
    }

    fn stands(&self, _: &Deck, state: &State) -> GameState {
        let table = state.table.iter().map(|&kind| kind.into()).collect();
        GameState { step: state.steps, count: state.found, place: state.first, back: state.back, table }
    }

    fn deal_numbers(&self, deck: &Deck) -> Vec<i32> {
        (0..deck.len()).map(|card| self.kind_at(deck, card).into()).collect()
    }

    fn least_steps(&self, _: &Deck) -> usize {
        self.cards()
    }
}
