//! What becomes of an environment that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::make::Maker;
use crate::{Error, ObservationMut, Space, panic};

/// What a group does with an environment that fails, panics or returns what is not finite.
#[derive(Clone, Default)]
pub enum OnFailure {
    /// Returns the error.
    #[default]
    Stop,
    /// Puts a new environment, seeded anew, in its place and marks the episode truncated.
    Replace {
        /// Makes the new one.
        make: Maker,
        /// Replacements in this group over its life beyond which the error is returned.
        cap: u64,
    },
}

/// Runs `work`; says what its error or panic is.
pub(super) fn attempt<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Failure::Error(error))) => Err(error.to_string()),
        Ok(Err(Failure::Found(problem))) => Err(problem),
        Err(panic) => Err(format!("panicked: {}", panic::message(panic.as_ref()))),
    }
}

/// The error of a failure that is one too many.
pub(super) fn capped(mut error: Error, cap: u64) -> Error {
    if let Error::Worker { problem, .. } = &mut error {
        problem.push_str(&format!("; {cap} environments were replaced already, which is the most allowed"));
    }
    error
}

/// Why an environment cannot go on.
pub(super) enum Failure {
    /// It said so.
    Error(Error),
    /// What it returned is impossible.
    Found(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Refuses an observation that is not finite, or a choice that its space does not have.
pub(super) fn sound_observation(space: &Space, row: &ObservationMut<'_>) -> Result<(), Failure> {
    let ObservationMut::F32(values) = row else { return Ok(()) };
    // Without early exit, so that it vectorises.
    if !values.iter().fold(true, |finite, value| finite & value.is_finite()) {
        let at = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
        return Err(Failure::Found(format!("element {at} of its observation is {}", values[at])));
    }
    if matches!(space, Space::Box { .. }) {
        return Ok(());
    }
    let exists = |at: usize, value: f32| {
        value.fract() == 0.0 && value >= 0.0 && space.choices(at).is_some_and(|count| value < count as f32)
    };
    match values.iter().enumerate().find(|&(at, &value)| !exists(at, value)) {
        Some((at, value)) => {
            Err(Failure::Found(format!("element {at} of its observation, {value}, is not in {space}")))
        }
        None => Ok(()),
    }
}
