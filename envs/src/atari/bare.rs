//! The emulator by itself, to tell what pictures, stages and observations cost on top.

use stpn_atari::{Action, Emulator};
use stpn_random::{Purpose, Stream};

use super::{AtariConfig, game};
use crate::Result;
use crate::throughput::Bare;

/// An emulator that is given random actions.
struct Console {
    emulator: Emulator,
    actions: Vec<Action>,
    frame_skip: u32,
    stream: Stream,
}

impl Bare for Console {
    fn step(&mut self) -> Result<()> {
        let action = self.actions[self.stream.below(self.actions.len())];
        for _ in 0..self.frame_skip {
            let outcome = self.emulator.act(action).map_err(game::failed)?;
            if outcome.terminated || outcome.truncated {
                self.emulator.reset().map_err(game::failed)?;
            }
        }
        Ok(())
    }
}

/// `count` emulators of that game.
pub(crate) fn bare(config: &AtariConfig, count: usize) -> Result<Vec<Box<dyn Bare>>> {
    let console = |index| -> Result<Box<dyn Bare>> {
        let emulator = config.emulator()?;
        let actions = emulator.minimal_actions().to_vec();
        let stream = Stream::new(0, Purpose::Test, index as u64);
        Ok(Box::new(Console { emulator, actions, frame_skip: config.frame_skip, stream }))
    };
    (0..count).map(console).collect()
}
