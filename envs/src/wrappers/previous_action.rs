//! What was done before, in the observation.

use std::ops::Range;
use std::time::Duration;

use super::appended::Appended;
use crate::{Action, Env, ObservationMut, OnDevice, Result, Screen, Space, Step};

/// Shows, behind the observation, the action that led to it; at the start of an episode the first choice everywhere, or
/// zeros, as POPGym's wrapper of that name does.
///
/// Choices are appended to an observation of choices as such, and one-hot to one of numbers; in the network, where
/// choices are one-hot, both come to the same. Numbers of an action are clipped to the bounds of their space.
#[derive(Debug)]
pub struct PreviousAction<E> {
    env: E,
    space: Appended,
    /// How many choices every element of an action has; none if it consists of numbers.
    counts: Vec<usize>,
    /// Bounds of its numbers.
    bounds: Vec<(f32, f32)>,
}

impl<E: Env> PreviousAction<E> {
    /// `env` with its actions shown.
    ///
    /// # Errors
    /// [`crate::Error::Buffer`] for an environment whose observations are bytes, or choices where actions are numbers.
    pub fn new(env: E) -> Result<Self> {
        let actions = env.action_space();
        let counts: Vec<usize> = (0..actions.len()).filter_map(|at| actions.choices(at)).collect();
        let bounds = match actions {
            Space::Box { low, high, .. } => low.iter().copied().zip(high.iter().copied()).collect(),
            _ => Vec::new(),
        };
        let space = Appended::new(env.observation_space(), &counts, &bounds)?;
        Ok(Self { env, space, counts, bounds })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for PreviousAction<E> {
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
        // Zeros, or the bound that is nearest.
        let numbers = self.bounds.iter().map(|&(low, high)| 0.0_f32.clamp(low, high));
        self.space.write(behind, &self.counts, self.counts.iter().map(|_| 0), numbers);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let (inner, behind) = self.space.split(observation)?;
        let step = self.env.step(action, inner)?;
        let (space, counts) = (&self.space, &self.counts);
        match action {
            Action::Discrete(choice) => space.write(behind, counts, [choice], []),
            Action::Choices(choices) => {
                space.write(behind, counts, choices.iter().map(|&choice| choice as usize), []);
            }
            Action::Continuous(values) => {
                let clipped = values.iter().zip(&self.bounds).map(|(value, &(low, high))| value.clamp(low, high));
                space.write(behind, counts, [], clipped);
            }
        }
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
            OnDevice::Game(mut game) if !game.rules.shows_action && !game.rules.shows_start => {
                game.rules.shows_action = true;
                Some(OnDevice::Game(game))
            }
            _ => None,
        }
    }

    fn echoes_actions(&self) -> Option<Range<usize>> {
        self.env.ignores_actions().then(|| self.env.observation_space().len()..self.space.get().len())
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
