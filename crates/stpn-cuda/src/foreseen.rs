//! Environments of which everything is known that they will show, but for the action before.

use crate::lengths::expect;
use crate::{Error, Result};

/// What B environments show in the T steps of a rollout. They end their episodes whatever is done, and what they show
/// depends on actions in one respect at most: A inputs show the action before, one-hot. A device plays with them alone;
/// rewards are not known there.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen<'a, T> {
    /// A, the number of actions.
    pub choices: usize,
    /// The first of the inputs that show the action before. At the start of an episode they are as `observations` say.
    pub echo: usize,
    /// `[T, B, I]` after each step, whatever stands where the action before is shown.
    pub observations: &'a [T],
    /// `[T, B]`, 1 if that is the first observation of another episode.
    pub starts: &'a [u8],
}

impl<T> Foreseen<'_, T> {
    /// Refuses what is not that of `units` steps of all environments, for a layer of `input` inputs.
    pub(crate) fn check(&self, units: usize, input: usize) -> Result<()> {
        let Self { choices, echo, observations, starts } = *self;
        let shown = echo.checked_add(choices).is_some_and(|end| end <= input);
        // Actions are kept in single precision.
        if choices == 0 || choices >= 1 << 24 || !shown {
            return Err(Error::Rollout { problem: "the inputs do not show the action before".to_string() });
        }
        expect("observations", observations.len(), units * input)?;
        expect("starts", starts.len(), units)
    }
}
