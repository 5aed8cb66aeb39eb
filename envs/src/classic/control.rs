//! An environment from equations of motion.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use crate::{Action, Env, Error, ObservationMut, Result, Space, Step, state};

/// A task given by its equations of motion.
pub trait Dynamics: Send {
    /// The state's numbers, `[f64; N]`.
    type State: Copy + AsRef<[f64]> + Serialize + DeserializeOwned + Send;

    /// The registered name.
    const NAME: &'static str;

    /// What is observed of the state.
    fn observation_space(&self) -> Space;

    /// What can be done.
    fn action_space(&self) -> Space;

    /// Draws the state in which an episode starts.
    fn start(&self, stream: &mut Stream) -> Self::State;

    /// Moves the state on by one step and returns the reward and whether the task ended.
    ///
    /// # Errors
    /// [`Error::Action`] for an action outside the space; the state is then as before.
    fn step(&self, state: &mut Self::State, action: Action<'_>) -> Result<(f64, bool)>;

    /// Writes the observation of a state; the slice has the space's length.
    fn observe(&self, state: &Self::State, observation: &mut [f32]);
}

/// The environment of a [`Dynamics`], without a limit on the steps of an episode.
#[derive(Debug)]
pub struct Control<D: Dynamics> {
    dynamics: D,
    observation_space: Space,
    action_space: Space,
    stream: Stream,
    state: D::State,
    running: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved<S> {
    stream: Stream,
    state: S,
    running: bool,
}

impl<D: Dynamics> Control<D> {
    /// An environment that has not been reset.
    pub fn new(dynamics: D) -> Self {
        let mut stream = Stream::from_seed(0);
        let state = dynamics.start(&mut stream);
        let (observation_space, action_space) = (dynamics.observation_space(), dynamics.action_space());
        Self { dynamics, observation_space, action_space, stream, state, running: false }
    }

    /// The present state.
    pub fn state(&self) -> D::State {
        self.state
    }

    /// Starts an episode in a given state, without a draw.
    pub fn start_at(&mut self, state: D::State) {
        self.state = state;
        self.running = true;
    }

    fn observe(&self, observation: ObservationMut<'_>) -> Result<()> {
        self.dynamics.observe(&self.state, observation.f32(self.observation_space.len())?);
        Ok(())
    }
}

impl<D: Dynamics> Env for Control<D> {
    fn name(&self) -> &str {
        D::NAME
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        self.state = self.dynamics.start(&mut self.stream);
        self.running = true;
        self.observe(observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        if !self.running {
            return Err(Error::ResetNeeded { environment: D::NAME.into() });
        }
        let (reward, terminated) = self.dynamics.step(&mut self.state, action)?;
        self.running = !terminated;
        self.observe(observation)?;
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let saved = Saved { stream: self.stream.clone(), state: self.state, running: self.running };
        state::save(D::NAME, &saved, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: Saved<D::State> = state::restore(D::NAME, bytes)?;
        if !saved.state.as_ref().iter().all(|number| number.is_finite()) {
            return Err(state::refused(D::NAME, "a number of the state is not finite"));
        }
        (self.stream, self.state, self.running) = (saved.stream, saved.state, saved.running);
        Ok(())
    }
}
