//! The environment trait.

use crate::{Error, Result, Space};

/// An action, borrowed from the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// For a [`Space::Discrete`].
    Discrete(usize),
    /// For a [`Space::Box`], row-major.
    Continuous(&'a [f32]),
}

impl Action<'_> {
    /// The choice among `n`.
    ///
    /// # Errors
    /// [`Error::Action`] for a continuous action or one outside 0..n.
    pub fn discrete(self, n: usize) -> Result<usize> {
        match self {
            Action::Discrete(choice) if choice < n => Ok(choice),
            other => Err(Error::Action { action: format!("{other:?}"), space: format!("Discrete({n})") }),
        }
    }
}

/// Where an environment writes its observation, row-major.
#[derive(Debug)]
pub enum ObservationMut<'a> {
    /// For [`crate::Dtype::F32`].
    F32(&'a mut [f32]),
    /// For [`crate::Dtype::U8`].
    U8(&'a mut [u8]),
}

impl<'a> ObservationMut<'a> {
    /// The buffer as `len` floats.
    ///
    /// # Errors
    /// [`Error::Buffer`] where it is of bytes or another length.
    pub fn f32(self, len: usize) -> Result<&'a mut [f32]> {
        match self {
            Self::F32(buffer) if buffer.len() == len => Ok(buffer),
            other => Err(other.refused(format!("{len} × f32"))),
        }
    }

    /// The buffer as `len` bytes.
    ///
    /// # Errors
    /// [`Error::Buffer`] where it is of floats or another length.
    pub fn u8(self, len: usize) -> Result<&'a mut [u8]> {
        match self {
            Self::U8(buffer) if buffer.len() == len => Ok(buffer),
            other => Err(other.refused(format!("{len} × u8"))),
        }
    }

    /// The same buffer for a shorter time, to hand it on and keep it.
    pub fn reborrow(&mut self) -> ObservationMut<'_> {
        match self {
            Self::F32(buffer) => ObservationMut::F32(buffer),
            Self::U8(buffer) => ObservationMut::U8(buffer),
        }
    }

    fn refused(&self, expected: String) -> Error {
        let got = match self {
            Self::F32(buffer) => format!("{} × f32", buffer.len()),
            Self::U8(buffer) => format!("{} × u8", buffer.len()),
        };
        Error::Buffer { what: "observation", expected, got }
    }
}

/// What a step returns beside the observation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The step's reward.
    pub reward: f64,
    /// The task itself ended: the value of what follows is 0.
    pub terminated: bool,
    /// The episode was cut off from outside, e.g. by a time limit: what follows still has a value.
    pub truncated: bool,
    /// Set at the end of a whole episode by [`crate::vector`] or a statistics wrapper.
    pub episode: Option<Episode>,
}

impl Step {
    /// Whether the episode is over, either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// Statistics of a finished episode, in raw rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Episode {
    /// Sum of its rewards.
    pub total_reward: f64,
    /// Its number of steps.
    pub length: u64,
}

/// A reinforcement-learning environment, as in Gymnasium.
///
/// Observations are written into the caller's buffer. After a step that ends the episode, `reset` must come before
/// the next `step`; vectors do so by themselves.
pub trait Env: Send {
    /// The registered name.
    fn name(&self) -> &str;

    /// What observations look like.
    fn observation_space(&self) -> &Space;

    /// What actions are allowed.
    fn action_space(&self) -> &Space;

    /// Starts an episode and writes its first observation. `Some(seed)` restarts the environment's random stream,
    /// `None` continues it.
    ///
    /// # Errors
    /// Fails on a buffer that does not fit or a simulator that does.
    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()>;

    /// One step; writes the observation after it.
    ///
    /// # Errors
    /// Fails on an action outside the space, a buffer that does not fit or a simulator that does.
    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step>;

    /// Appends everything needed to continue exactly, random stream included.
    ///
    /// # Errors
    /// Fails where the simulator cannot save.
    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Takes over what [`Env::save_state`] wrote in an environment of the same configuration.
    ///
    /// # Errors
    /// [`Error::State`] on bytes that do not fit; the environment is then as before, or must be reset.
    fn restore_state(&mut self, bytes: &[u8]) -> Result<()>;
}
