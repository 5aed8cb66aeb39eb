//! An environment from the rules of a task.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use crate::{Action, Env, Error, ObservationMut, Result, Space, Step, state};

/// A task by its rules: how an episode starts, what a step changes, what is seen.
///
/// [`RulesEnv`] makes an environment of it, which is the shortest way to one: seeds, the random stream, saved states,
/// buffers and steps without a reset are its affair. What is simulated elsewhere, or shows bytes, implements [`Env`].
pub trait Rules: Send {
    /// What changes within an episode; it is saved in checkpoints.
    type State: Clone + Serialize + DeserializeOwned + Send;

    /// The registered name.
    const NAME: &'static str;

    /// [`Env::ignores_actions`].
    const IGNORES_ACTIONS: bool = false;

    /// What is observed: floats, not bytes.
    fn observation_space(&self) -> Space;

    /// What can be done.
    fn action_space(&self) -> Space;

    /// The state in which an episode starts. What is random comes from `stream`, here and in [`Rules::step`].
    fn start(&self, stream: &mut Stream) -> Self::State;

    /// Changes the state by one step and returns the reward and whether the episode ended.
    ///
    /// # Errors
    /// [`Error::Action`] for an action outside the space; the state must then be as before. [`Action::discrete`] and
    /// its like give that error.
    fn step(&self, state: &mut Self::State, action: Action<'_>, stream: &mut Stream) -> Result<Step>;

    /// Writes the observation of a state; the slice has the space's length, and what it holds must be overwritten.
    fn observe(&self, state: &Self::State, observation: &mut [f32]);

    /// Whether a state that was read from a checkpoint can be one of these rules.
    fn fits(&self, _state: &Self::State) -> bool {
        true
    }

    /// The expected return of the best policy, where it is known.
    fn oracle_return(&self) -> Option<f64> {
        None
    }

    /// [`Env::echoes_actions`].
    fn echoes_actions(&self) -> Option<Range<usize>> {
        None
    }
}

/// The environment of some [`Rules`].
#[derive(Debug)]
pub struct RulesEnv<R: Rules> {
    rules: R,
    observation_space: Space,
    action_space: Space,
    stream: Stream,
    state: R::State,
    running: bool,
}

#[derive(Serialize)]
struct Saving<'a, S> {
    stream: &'a Stream,
    state: &'a S,
    running: bool,
}

#[derive(Deserialize)]
struct Saved<S> {
    stream: Stream,
    state: S,
    running: bool,
}

impl<R: Rules> RulesEnv<R> {
    /// An environment that has not been reset.
    pub fn new(rules: R) -> Self {
        let mut stream = Stream::from_seed(0);
        let state = rules.start(&mut stream);
        let (observation_space, action_space) = (rules.observation_space(), rules.action_space());
        Self { rules, observation_space, action_space, stream, state, running: false }
    }

    /// The present state.
    pub fn state(&self) -> &R::State {
        &self.state
    }

    /// Starts an episode in a given state, without a draw.
    pub fn start_at(&mut self, state: R::State) {
        self.state = state;
        self.running = true;
    }
}

impl<R: Rules> Env for RulesEnv<R> {
    fn name(&self) -> &str {
        R::NAME
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let observation = observation.f32(self.observation_space.len())?;
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        self.state = self.rules.start(&mut self.stream);
        self.running = true;
        self.rules.observe(&self.state, observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let observation = observation.f32(self.observation_space.len())?;
        if !self.running {
            return Err(Error::ResetNeeded { environment: R::NAME.into() });
        }
        let step = self.rules.step(&mut self.state, action, &mut self.stream)?;
        self.running = !step.done();
        self.rules.observe(&self.state, observation);
        Ok(step)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let Self { stream, state, running, .. } = self;
        state::save(R::NAME, &Saving { stream, state, running: *running }, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let Saved { stream, state, running } = state::restore(R::NAME, bytes)?;
        if !self.rules.fits(&state) {
            return Err(state::refused(R::NAME, "it is of a task with other settings, or damaged"));
        }
        (self.stream, self.state, self.running) = (stream, state, running);
        Ok(())
    }

    fn oracle_return(&self) -> Option<f64> {
        self.rules.oracle_return()
    }

    fn ignores_actions(&self) -> bool {
        R::IGNORES_ACTIONS
    }

    fn echoes_actions(&self) -> Option<Range<usize>> {
        self.rules.echoes_actions()
    }
}
