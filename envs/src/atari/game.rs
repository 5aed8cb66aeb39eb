//! The emulator, frame by frame.

use stpn_atari::{Action, Emulator, Palette};

use super::{Frame, Play, Start, View};
use crate::{Error, Result, state};

/// The name in errors and the registry.
pub(super) const NAME: &str = "atari";

/// A game without any stage.
#[derive(Debug)]
pub struct Game {
    emulator: Emulator,
    actions: Vec<Action>,
}

impl Game {
    /// A game with all legal actions, or with those alone that make a difference.
    pub fn new(emulator: Emulator, full_action_space: bool) -> Self {
        let actions = if full_action_space { emulator.legal_actions() } else { emulator.minimal_actions() };
        Self { actions: actions.to_vec(), emulator }
    }

    /// The emulator.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }
}

/// An emulator's failure as an environment's.
pub(super) fn failed(error: stpn_atari::Error) -> Error {
    match error {
        stpn_atari::Error::State { problem, .. } => state::refused(NAME, problem),
        other => Error::Simulator { environment: NAME.into(), problem: other.to_string() },
    }
}

impl Play for Game {
    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn size(&self) -> [usize; 2] {
        let screen = self.emulator.screen();
        [screen.height, screen.width]
    }

    fn palette(&self) -> &Palette {
        self.emulator.palette()
    }

    fn start(&mut self, seed: Option<u64>) -> Result<Start> {
        match seed {
            // The emulator's seeds have 32 bits.
            Some(seed) => self.emulator.seed(seed as u32 ^ (seed >> 32) as u32),
            None => self.emulator.reset(),
        }
        .map_err(failed)?;
        Ok(Start { new_game: true, reward: 0.0 })
    }

    fn act(&mut self, action: usize) -> Result<Frame> {
        let outcome = self.emulator.act(self.actions[action]).map_err(failed)?;
        Ok(Frame {
            reward: outcome.reward.into(),
            terminated: outcome.terminated,
            truncated: outcome.truncated,
            game_over: outcome.terminated,
        })
    }

    fn lives(&self) -> u32 {
        self.emulator.lives()
    }

    fn view(&self) -> View<'_> {
        View { latest: self.emulator.screen().pixels, before: None }
    }

    fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.emulator.save(bytes).map_err(failed)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        self.emulator.restore(bytes).map_err(failed)
    }
}
