//! Lives as episodes.

use serde::{Deserialize, Serialize};
use stpn_atari::{Action, Palette};

use super::{Frame, Play, Start, View, game::NAME};
use crate::{Result, state};

/// Ends the training episode where a life is lost; the game itself goes on with the next one, after a step without an
/// action. Helps value estimates, and changes nothing in games without lives.
#[derive(Debug)]
pub struct EpisodicLife<P> {
    play: P,
    state: Lives,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Lives {
    left: u32,
    /// The episode ended so, and the game can go on.
    lost: bool,
}

impl<P: Play> EpisodicLife<P> {
    /// Ends episodes of `play` at lost lives.
    pub fn new(play: P) -> Self {
        Self { play, state: Lives::default() }
    }

    /// The game inside.
    pub fn inner(&self) -> &P {
        &self.play
    }
}

impl<P: Play> Play for EpisodicLife<P> {
    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        let mut start = if seed.is_none() && self.state.lost {
            let frame = self.play.act(0)?;
            Start { new_game: frame.done(), reward: frame.reward }
        } else {
            Start { new_game: true, reward: 0.0 }
        };
        if start.new_game {
            start = self.play.start(seed)?;
        }
        self.state = Lives { left: self.play.lives(), lost: false };
        Ok(start)
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        let mut frame = self.play.act(action)?;
        let left = self.play.lives();
        let lost = left < self.state.left && left > 0 && !frame.done();
        self.state = Lives { left, lost };
        frame.terminated |= lost;
        Ok(frame)
    }

    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(NAME, &self.state, bytes)?;
        self.play.save(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let (lives, inner) = state::split(NAME, bytes)?;
        self.play.restore(inner)?;
        self.state = lives;
        Ok(())
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
