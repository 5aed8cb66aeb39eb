//! Fewer decisions than frames.

use stpn_atari::{Action, Palette};

use super::{Frame, Play, Start, View};
use crate::{Error, Result};

/// Repeats every action for a number of frames, adds up their rewards, and shows the brighter pixel of the last two
/// frames (Mnih et al. 2015: 4 frames).
#[derive(Debug)]
pub struct FrameSkip<P> {
    play: P,
    frames: u32,
    /// The last frame but one.
    before: Vec<u8>,
    /// Whether it belongs to the same action as the last one.
    shown: bool,
}

impl<P: Play> FrameSkip<P> {
    /// Repeats actions for `frames` frames.
    ///
    /// # Errors
    /// [`Error::Config`], key `frame_skip`, for less than 2.
    pub fn new(play: P, frames: u32) -> Result<Self> {
        if frames < 2 {
            return Err(Error::Config { key: "frame_skip", value: frames.to_string(), allowed: "at least 2".into() });
        }
        let before = play.view().latest.to_vec();
        Ok(Self { play, frames, before, shown: false })
    }

    /// The game inside.
    pub fn inner(&self) -> &P {
        &self.play
    }
}

impl<P: Play> Play for FrameSkip<P> {
    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        self.shown = false;
        self.play.start(seed)
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        let (mut frame, mut reward) = (Frame::default(), 0.0);
        self.shown = false;
        for number in 1..=self.frames {
            if number == self.frames {
                self.before.copy_from_slice(self.play.view().latest);
                self.shown = true;
            }
            frame = self.play.act(action)?;
            reward += frame.reward;
            if frame.done() {
                break;
            }
        }
        Ok(Frame { reward, ..frame })
    }

    fn view(&self) -> View<'_> {
        View { latest: self.play.view().latest, before: self.shown.then_some(&self.before) }
    }

    // What was shown is not saved: nothing looks at it again.
    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.play.save(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        self.shown = false;
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
}
