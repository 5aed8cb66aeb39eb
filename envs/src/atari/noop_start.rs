//! Episodes that begin at random moments.

use stpn_atari::{Action, Palette};
use stpn_random::Stream;

use super::{Frame, Play, Start, View, game::NAME};
use crate::{Error, Result, state};

/// Begins every game with 1 to `largest` frames without an action (Mnih et al. 2015: 30), so that a deterministic game
/// is not always the same.
#[derive(Debug)]
pub struct NoopStart<P> {
    play: P,
    largest: u32,
    stream: Stream,
}

impl<P: Play> NoopStart<P> {
    /// At most `largest` frames.
    ///
    /// # Errors
    /// [`Error::Config`], key `noop_max`, for 0.
    pub fn new(play: P, largest: u32) -> Result<Self> {
        if largest == 0 {
            return Err(Error::Config { key: "noop_max", value: "0".into(), allowed: "at least 1".into() });
        }
        Ok(Self { play, largest, stream: Stream::from_seed(0) })
    }

    /// The game inside.
    pub fn inner(&self) -> &P {
        &self.play
    }
}

impl<P: Play> Play for NoopStart<P> {
    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        let mut start = self.play.start(seed)?;
        if start.new_game {
            for _ in 0..=self.stream.below(self.largest as usize) {
                let frame = self.play.act(0)?;
                start.reward += frame.reward;
                if frame.done() {
                    start = self.play.start(None)?;
                }
            }
        }
        Ok(start)
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        self.play.act(action)
    }

    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(NAME, &self.stream, bytes)?;
        self.play.save(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let (stream, inner) = state::split(NAME, bytes)?;
        self.play.restore(inner)?;
        self.stream = stream;
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
