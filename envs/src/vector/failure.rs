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

/// Whether all values are whole numbers from 0 up to below their counts. Without early exit, and in operations that every
/// processor does on vectors: a table of a hundred cards is looked at in every step. It may deny that of large numbers.
fn are_choices(values: &[f32], counts: &[usize]) -> bool {
    // From here on, a float has no digits behind the point: adding it rounds them away.
    const WHOLE: f32 = 8_388_608.0;
    let wrong = values.iter().zip(counts).fold(0, |wrong, (&value, &count)| {
        let rounded = (value + WHOLE) - WHOLE;
        let exists = (rounded == value) & (0.0..WHOLE).contains(&value) & (value < count as i32 as f32);
        wrong | u32::from(!exists)
    });
    wrong == 0
}

/// Refuses an observation that is not finite, or a choice that its space does not have.
pub(super) fn sound_observation(space: &Space, row: &ObservationMut<'_>) -> Result<(), Failure> {
    let ObservationMut::F32(values) = row else { return Ok(()) };
    // Without early exit, so that it vectorises.
    if !values.iter().fold(true, |finite, value| finite & value.is_finite()) {
        let at = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
        return Err(Failure::Found(format!("element {at} of its observation is {}", values[at])));
    }
    match space {
        Space::Box { .. } => return Ok(()),
        Space::MultiDiscrete { counts } if counts.len() == values.len() && are_choices(values, counts) => return Ok(()),
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_those_that_their_space_has() {
        let space = Space::MultiDiscrete { counts: vec![3; 70] };
        let check = |at: usize, value: f32| {
            let mut values = vec![2.0; 70];
            values[at] = value;
            sound_observation(&space, &ObservationMut::F32(&mut values))
        };
        for value in [0.0, -0.0, 1.0, 2.0] {
            assert!(check(69, value).is_ok(), "{value}");
        }
        for value in [3.0, -1.0, 0.5, 1e10, -1e10, f32::NAN, f32::INFINITY] {
            let Err(Failure::Found(said)) = check(33, value) else { panic!("{value} was let through") };
            assert!(said.contains("element 33"), "{said}");
        }
        // A count beyond 32 bits is looked at in the other way.
        let large = Space::MultiDiscrete { counts: vec![usize::MAX, 1 << 33] };
        assert!(sound_observation(&large, &ObservationMut::F32(&mut [1e9, 4e9])).is_ok());
    }
}
