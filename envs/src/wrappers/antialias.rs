//! Whether an episode has just begun, in the observation.

use std::ops::Range;
use std::time::Duration;

use super::appended::Appended;
use crate::{Action, Env, ObservationMut, OnDevice, Result, Screen, Space, Step};

/// One element, of two choices.
const FLAG: [usize; 1] = [2];

/// Shows, behind the observation, 1 at the start of an episode and 0 after every step, as POPGym's wrapper of that name
/// does: an action shown by [`super::PreviousAction`] cannot then be taken for one at the start.
///
/// To an observation of numbers the flag is appended one-hot, as it is in the network.
#[derive(Debug)]
pub struct Antialias<E> {
    env: E,
    space: Appended,
}

impl<E: Env> Antialias<E> {
    /// `env` with the flag.
    ///
    /// # Errors
    /// [`crate::Error::Buffer`] for an environment whose observations are bytes.
    pub fn new(env: E) -> Result<Self> {
        let space = Appended::new(env.observation_space(), &FLAG, &[])?;
        Ok(Self { env, space })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for Antialias<E> {
    fn name(&self) -> &str {
        self.env.name()
    }

    fn observation_space(&self) -> &Space {
        self.space.get()
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let (inner, behind) = self.space.split(observation)?;
        self.env.reset(seed, inner)?;
        self.space.write(behind, &FLAG, [1], []);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let (inner, behind) = self.space.split(observation)?;
        let step = self.env.step(action, inner)?;
        self.space.write(behind, &FLAG, [0], []);
        Ok(step)
    }

    fn lost_its_episode(&self) -> bool {
        self.env.lost_its_episode()
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        self.env.begin_step(action)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        self.env.limit_calls(limit)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.env.restore_state(bytes)
    }

    fn records_episodes(&self) -> bool {
        self.env.records_episodes()
    }

    fn oracle_return(&self) -> Option<f64> {
        self.env.oracle_return()
    }

    fn on_device(&self, steps: usize) -> Option<OnDevice> {
        match self.env.on_device(steps)? {
            OnDevice::Game(mut game) if !game.rules.shows_start => {
                game.rules.shows_start = true;
                Some(OnDevice::Game(game))
            }
            _ => None,
        }
    }

    fn ignores_actions(&self) -> bool {
        self.env.ignores_actions()
    }

    // The flag is behind.
    fn echoes_actions(&self) -> Option<Range<usize>> {
        self.env.echoes_actions()
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
