//! Cards.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

/// Cards of a deck of 52: every rank in four suits.
const CARDS: usize = 52;

/// A card, 4 · rank + suit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Card(u8);

impl Card {
    /// One of 4.
    pub fn suit(self) -> usize {
        usize::from(self.0 % 4)
    }

    /// One of 13, the ace lowest.
    pub fn rank(self) -> usize {
        usize::from(self.0 / 4)
    }

    /// Black or red: one of 2.
    pub fn color(self) -> usize {
        usize::from(self.0 % 2)
    }
}

/// Some decks of 52 cards, shuffled together. The last card lies on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Deck {
    cards: Vec<Card>,
}

impl Deck {
    /// That many decks, in order.
    pub fn new(decks: usize) -> Self {
        Self { cards: (0..decks * CARDS).map(|at| Card((at % CARDS) as u8)).collect() }
    }

    /// Puts the cards in order, then shuffles them.
    pub fn shuffle(&mut self, stream: &mut Stream) {
        self.cards.iter_mut().enumerate().for_each(|(at, card)| *card = Card((at % CARDS) as u8));
        stream.shuffle(&mut self.cards);
    }

    /// Number of cards.
    pub fn len(&self) -> usize {
        self.cards.len()
    }

    /// Whether there is no card.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    /// The card at a place, counted from the bottom.
    ///
    /// # Panics
    /// If there are not so many cards.
    pub fn at(&self, place: usize) -> Card {
        self.cards[place]
    }

    /// The card that is dealt after `before` others, from the top.
    ///
    /// # Panics
    /// If there are not so many cards.
    pub fn dealt(&self, before: usize) -> Card {
        self.cards[self.cards.len() - 1 - before]
    }

    /// Whether these are so many whole decks.
    pub fn is(&self, decks: usize) -> bool {
        let mut counts = [0; CARDS];
        self.cards.iter().all(|card| counts.get_mut(usize::from(card.0)).map(|count| *count += 1).is_some())
            && counts == [decks; CARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffled_deck_has_every_card_and_does_not_depend_on_the_last() {
        let (mut deck, mut other) = (Deck::new(3), Deck::new(3));
        other.shuffle(&mut Stream::from_seed(1));
        assert!(deck.is(3) && other.is(3) && !other.is(2) && deck != other);
        deck.shuffle(&mut Stream::from_seed(2));
        other.shuffle(&mut Stream::from_seed(2));
        assert_eq!(deck, other);
        assert_eq!((deck.dealt(0), deck.dealt(155)), (deck.at(155), deck.at(0)));
    }

    #[test]
    fn suits_ranks_and_colors_are_of_equal_number() {
        let deck = Deck::new(1);
        let count = |of: fn(Card) -> usize, which| (0..52).filter(|&at| of(deck.at(at)) == which).count();
        assert!((0..4).all(|suit| count(Card::suit, suit) == 13));
        assert!((0..13).all(|rank| count(Card::rank, rank) == 4));
        assert!((0..2).all(|color| count(Card::color, color) == 26));
    }
}
