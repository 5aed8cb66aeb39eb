//! What the stages of a game have in common.

use stpn_atari::{Action, Palette};

use crate::Result;

/// What an action led to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frame {
    /// Change of the score.
    pub reward: f64,
    /// The training episode is over.
    pub terminated: bool,
    /// The limit of frames is reached.
    pub truncated: bool,
    /// The game itself is over, too: true wherever `terminated` is, but for a lost life ([`super::EpisodicLife`]).
    pub game_over: bool,
}

impl Frame {
    /// Whether the training episode is over, either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// How an episode began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// With a new game; false if one goes on after a lost life.
    pub new_game: bool,
    /// Change of the score on the way, by actions that were not the agent's.
    pub reward: f64,
}

/// What an observation is made of: palette indices, row by row.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The last frame.
    pub latest: &'a [u8],
    /// The one before, where the brighter pixel of both is to be shown: consoles draw some things in every other frame.
    pub before: Option<&'a [u8]>,
}

/// A game, or a game seen through a stage. Actions are indices into [`Play::actions`].
pub trait Play: Send {
    /// What the joystick can do.
    fn actions(&self) -> &[Action];

    /// Height and width of the screen.
    fn size(&self) -> [usize; 2];

    /// The colours of the screen.
    fn palette(&self) -> &Palette;

    /// Starts an episode; `Some(seed)` restarts all that is random.
    ///
    /// # Errors
    /// Fails if the emulator does.
    fn start(&mut self, seed: Option<u64>) -> Result<Start>;

    /// Takes an action.
    ///
    /// # Errors
    /// Fails if the emulator does.
    fn act(&mut self, action: usize) -> Result<Frame>;

    /// Lives left.
    fn lives(&self) -> u32;

    /// The screen.
    fn view(&self) -> View<'_>;

    /// Appends everything needed to continue exactly.
    ///
    /// # Errors
    /// Fails if the emulator does.
    fn save(&self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Takes over what [`Play::save`] wrote.
    ///
    /// # Errors
    /// [`crate::Error::State`] on bytes that do not fit.
    fn restore(&mut self, bytes: &[u8]) -> Result<()>;
}

impl<P: Play + ?Sized> Play for Box<P> {
    fn actions(&self) -> &[Action] {
        (**self).actions()
    }

    fn size(&self) -> [usize; 2] {
        (**self).size()
    }

    fn palette(&self) -> &Palette {
        (**self).palette()
    }

    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        (**self).start(seed)
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        (**self).act(action)
    }

    fn lives(&self) -> u32 {
        (**self).lives()
    }

    fn view(&self) -> View<'_> {
        (**self).view()
    }

    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        (**self).save(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        (**self).restore(bytes)
    }
}
