//! Games that wait for a button.

use stpn_atari::{Action, Palette};

use super::{Frame, Play, Start, View};
use crate::Result;

/// Presses the button, then moves once with the action after it, at the start of every episode, as the field's
/// standard wrapper does; without effect on games that have no button.
#[derive(Debug)]
pub struct FireReset<P> {
    play: P,
    /// Indices of what is done.
    presses: Vec<usize>,
}

impl<P: Play> FireReset<P> {
    /// Starts the games of `play`.
    pub fn new(play: P) -> Self {
        let fire = play.actions().iter().position(|&action| action == Action::Fire);
        let presses = match fire {
            Some(fire) if fire + 1 < play.actions().len() => vec![fire, fire + 1],
            Some(fire) => vec![fire],
            None => vec![],
        };
        Self { play, presses }
    }

    /// The game inside.
    pub fn inner(&self) -> &P {
        &self.play
    }
}

impl<P: Play> Play for FireReset<P> {
    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        let mut start = self.play.start(seed)?;
        for &press in &self.presses {
            let frame = self.play.act(press)?;
            start.reward += frame.reward;
            if frame.done() {
                let again = self.play.start(None)?;
                start = Start { new_game: start.new_game || again.new_game, reward: start.reward + again.reward };
                if again.new_game {
                    start.reward = again.reward;
                }
            }
        }
        Ok(start)
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        self.play.act(action)
    }

    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.play.save(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        self.play.restore(bytes)
    }

    fn actions(&self) -> &[Action] {
        self.play.actions()
    }

    fn size(&self) -> [usize; 2] {
        self.play.size()
    }

    fn palette(&self) -> &Palette {
        self.play.palette()
    }

    fn lives(&self) -> u32 {
        self.play.lives()
    }

    fn view(&self) -> View<'_> {
        self.play.view()
    }
}
