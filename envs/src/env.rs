//! The environment trait.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Dtype, Error, OnDevice, Result, Screen, Space};

/// An action, borrowed from the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// For a [`Space::Discrete`].
    Discrete(usize),
    /// For a [`Space::MultiDiscrete`] or a [`Space::MultiBinary`]: one for each of its elements.
    Choices(&'a [u32]),
    /// For a [`Space::Box`], row-major.
    Continuous(&'a [f32]),
}

impl<'a> Action<'a> {
    /// The choice among `n`.
    ///
    /// # Errors
    /// [`Error::Action`] for a continuous action or one outside 0..n.
    #[inline]
    pub fn discrete(self, n: usize) -> Result<usize> {
        match self {
            Action::Discrete(choice) if choice < n => Ok(choice),
            other => Err(other.refused(|| format!("Discrete({n})"))),
        }
    }

    /// One of `counts[i]` choices for every i.
    ///
    /// # Errors
    /// [`Error::Action`] for another kind of action, another number of choices or one that does not exist.
    #[inline]
    pub fn choices(self, counts: &[usize]) -> Result<&'a [u32]> {
        let exists = |(&choice, &count): (&u32, &usize)| (choice as usize) < count;
        match self {
            Action::Choices(choices) if choices.len() == counts.len() && choices.iter().zip(counts).all(exists) => {
                Ok(choices)
            }
            other => Err(other.refused(|| format!("MultiDiscrete({counts:?})"))),
        }
    }

    /// The error of an action outside of a space. Apart from the checks, which then are short enough to be inlined.
    #[cold]
    fn refused(self, space: impl FnOnce() -> String) -> Error {
        Error::Action { action: format!("{self:?}"), space: space() }
    }

    /// `n` switches, each 0 or 1.
    ///
    /// # Errors
    /// [`Error::Action`] for another kind of action, another number of switches or one that is neither.
    pub fn switches(self, n: usize) -> Result<&'a [u32]> {
        match self {
            Action::Choices(switches) if switches.len() == n && switches.iter().all(|&switch| switch < 2) => {
                Ok(switches)
            }
            other => Err(other.refused(|| format!("MultiBinary({n})"))),
        }
    }

    /// `len` numbers, all finite; whether they must lie within bounds is the environment's affair.
    ///
    /// # Errors
    /// [`Error::Action`] for a discrete action, another length, NaN or an infinity.
    pub fn continuous(self, len: usize) -> Result<&'a [f32]> {
        match self {
            Action::Continuous(values) if values.len() == len && values.iter().all(|value| value.is_finite()) => {
                Ok(values)
            }
            other => Err(other.refused(|| format!("{len} finite numbers"))),
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
    /// [`Error::Buffer`] if it is of bytes or another length.
    #[inline]
    pub fn f32(self, len: usize) -> Result<&'a mut [f32]> {
        match self {
            Self::F32(buffer) if buffer.len() == len => Ok(buffer),
            other => Err(other.refused(|| format!("{len} × f32"))),
        }
    }

    /// The buffer as `len` bytes.
    ///
    /// # Errors
    /// [`Error::Buffer`] if it is of floats or another length.
    pub fn u8(self, len: usize) -> Result<&'a mut [u8]> {
        match self {
            Self::U8(buffer) if buffer.len() == len => Ok(buffer),
            other => Err(other.refused(|| format!("{len} × u8"))),
        }
    }

    /// The same buffer for a shorter time, to hand it on and keep it.
    pub fn reborrow(&mut self) -> ObservationMut<'_> {
        match self {
            Self::F32(buffer) => ObservationMut::F32(buffer),
            Self::U8(buffer) => ObservationMut::U8(buffer),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(buffer) => buffer.len(),
            Self::U8(buffer) => buffer.len(),
        }
    }

    /// True for a buffer without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::U8(_) => Dtype::U8,
        }
    }

    /// The elements before `middle` and those from it on.
    ///
    /// # Panics
    /// If `middle` lies beyond the end.
    pub fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            Self::F32(buffer) => {
                let (left, right) = buffer.split_at_mut(middle);
                (Self::F32(left), Self::F32(right))
            }
            Self::U8(buffer) => {
                let (left, right) = buffer.split_at_mut(middle);
                (Self::U8(left), Self::U8(right))
            }
        }
    }

    /// Row `index` of a `[B, width]` buffer.
    ///
    /// # Panics
    /// If the buffer has no such row.
    pub fn row(&mut self, index: usize, width: usize) -> ObservationMut<'_> {
        match self {
            Self::F32(buffer) => ObservationMut::F32(&mut buffer[index * width..(index + 1) * width]),
            Self::U8(buffer) => ObservationMut::U8(&mut buffer[index * width..(index + 1) * width]),
        }
    }

    #[cold]
    fn refused(&self, expected: impl FnOnce() -> String) -> Error {
        let got = match self {
            Self::F32(buffer) => format!("{} × f32", buffer.len()),
            Self::U8(buffer) => format!("{} × u8", buffer.len()),
        };
        Error::Buffer { what: "observation", expected: expected(), got }
    }
}

/// What a step returns beside the observation.
///
/// `terminated` and `truncated` may both be set, where the task ends on the very step that reaches a limit; it is
/// then a termination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The step's reward.
    pub reward: f64,
    /// The task itself ended: the value of what follows is 0.
    pub terminated: bool,
    /// The episode was cut off from outside, e.g. by a time limit: what follows still has a value.
    pub truncated: bool,
    /// Set at the end of a whole episode by environments that record their own episodes
    /// ([`Env::records_episodes`]), e.g. under a statistics wrapper; `None` otherwise.
    pub episode: Option<Episode>,
}

impl Step {
    /// Whether the episode is over, either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// Statistics of a finished episode, in raw rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

    /// Begins the step that the next call of [`Env::step`], with the same action, completes: environments that are
    /// simulated elsewhere then work side by side. Others have nothing to do here.
    ///
    /// # Errors
    /// As [`Env::step`], which fails in the same way where this did.
    fn begin_step(&mut self, _action: Action<'_>) -> Result<()> {
        Ok(())
    }

    /// Says how long each call may take, where the environment can end a call that takes longer, with an error; false
    /// where it cannot.
    fn limit_calls(&mut self, _limit: Option<Duration>) -> bool {
        false
    }

    /// One step; writes the observation after it.
    ///
    /// # Errors
    /// Fails on an action outside the space, a buffer that does not fit or a simulator that does.
    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step>;

    /// Appends everything needed to continue exactly, random stream included.
    ///
    /// # Errors
    /// Fails if the simulator cannot save.
    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Takes over what [`Env::save_state`] wrote in an environment of the same configuration.
    ///
    /// # Errors
    /// [`Error::State`] on bytes that do not fit; the environment is then as before, or must be reset.
    fn restore_state(&mut self, bytes: &[u8]) -> Result<()>;

    /// Whether the state last restored could not bring the episode back, so that a reset has to begin another.
    fn lost_its_episode(&self) -> bool {
        false
    }

    /// Whether [`Step::episode`] tells of finished episodes. A vector then reports those alone, and counts none by
    /// itself: what ends a training episode, such as a lost life, need not end the game.
    fn records_episodes(&self) -> bool {
        false
    }

    /// The exact expected return of an episode under the optimal policy, where it is known.
    fn oracle_return(&self) -> Option<f64> {
        None
    }

    /// What a device needs to play on from here for so many steps, if there is a kernel of the environment's rules and
    /// an episode is under way. A wrapper that changes anything must not hand this on as it is from what it wraps.
    fn on_device(&self, _steps: usize) -> Option<OnDevice> {
        None
    }

    /// Whether what is observed, and when episodes end, is the same whatever the actions are: they change rewards
    /// alone. A device can then be given the observations of many steps at once. They are found out by steps that are
    /// undone with [`Env::save_state`] and [`Env::restore_state`], which must be exact.
    fn ignores_actions(&self) -> bool {
        false
    }

    /// The elements of the observation that show the action before, if nothing else depends on actions beside rewards:
    /// such an environment does not ignore actions, but what it will show is known as well. An episode's first
    /// observation, to which no action led, shows what it always shows. [`Env::save_state`] and [`Env::restore_state`]
    /// must be exact here, too.
    fn echoes_actions(&self) -> Option<Range<usize>> {
        None
    }

    /// The present state as lines of text for a terminal, where there is such a view.
    fn render(&self) -> Option<String> {
        None
    }

    /// What a person would see of the present state, where the environment has a screen: whatever its observations are.
    fn screen(&self) -> Option<Screen> {
        None
    }
}

/// A boxed environment is one itself, so that wrappers take either.
impl<E: Env + ?Sized> Env for Box<E> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn observation_space(&self) -> &Space {
        (**self).observation_space()
    }

    fn action_space(&self) -> &Space {
        (**self).action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        (**self).reset(seed, observation)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        (**self).step(action, observation)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        (**self).save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        (**self).restore_state(bytes)
    }

    fn records_episodes(&self) -> bool {
        (**self).records_episodes()
    }

    fn oracle_return(&self) -> Option<f64> {
        (**self).oracle_return()
    }

    fn on_device(&self, steps: usize) -> Option<OnDevice> {
        (**self).on_device(steps)
    }

    fn ignores_actions(&self) -> bool {
        (**self).ignores_actions()
    }

    fn echoes_actions(&self) -> Option<Range<usize>> {
        (**self).echoes_actions()
    }

    fn render(&self) -> Option<String> {
        (**self).render()
    }

    fn lost_its_episode(&self) -> bool {
        (**self).lost_its_episode()
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        (**self).begin_step(action)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        (**self).limit_calls(limit)
    }

    fn screen(&self) -> Option<Screen> {
        (**self).screen()
    }
}
