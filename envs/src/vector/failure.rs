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

/// What an observation may be, made ready once, since every one is looked at: a table of a hundred cards in every step.
pub(super) struct Sound {
    space: Space,
    /// What every element has to lie below, of a space of choices that floats can count.
    limits: Option<Vec<f32>>,
}

impl Sound {
    /// From here on, a float has no digits behind the point: adding it rounds them away.
    const WHOLE: f32 = 8_388_608.0;

    pub(super) fn of(space: &Space) -> Self {
        let limit = |at| space.choices(at).map(|count| count as f32).filter(|&limit| limit < Self::WHOLE);
        Self { space: space.clone(), limits: (0..space.len()).map(limit).collect() }
    }

    /// Refuses an observation that is not finite, or a choice that the space does not have.
    pub(super) fn check(&self, row: &ObservationMut<'_>) -> Result<(), Failure> {
        let ObservationMut::F32(values) = row else { return Ok(()) };
        // Both without early exit and in operations that every processor does on vectors. What is no number fails all
        // comparisons.
        let Self { space, limits } = self;
        let sound = match limits {
            Some(limits) => values.iter().zip(limits).fold(true, |sound, (&value, &limit)| {
                let rounded = (value + Self::WHOLE) - Self::WHOLE;
                sound & (rounded == value) & (value >= 0.0) & (value < limit)
            }),
            None => values.iter().fold(true, |finite, value| finite & value.is_finite()),
        };
        if sound && (limits.is_some() || matches!(space, Space::Box { .. })) {
            return Ok(());
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Failure::Found(format!("element {at} of its observation is {}", values[at])));
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
            Sound::of(&space).check(&ObservationMut::F32(&mut values))
        };
        for value in [0.0, -0.0, 1.0, 2.0] {
            assert!(check(69, value).is_ok(), "{value}");
        }
        for value in [3.0, -1.0, 0.5, 1e10, -1e10, f32::NAN, f32::INFINITY] {
            let Err(Failure::Found(said)) = check(33, value) else { panic!("{value} was let through") };
            assert!(said.contains("element 33"), "{said}");
        }
        // Counts beyond a float's whole numbers are looked at in the other way.
        let large = Space::MultiDiscrete { counts: vec![usize::MAX, 1 << 33] };
        let check = |mut values: [f32; 2]| Sound::of(&large).check(&ObservationMut::F32(&mut values));
        assert!(check([1e9, 4e9]).is_ok());
        for values in [[1e9, 1e10], [1e9, -1.0], [0.5, 4e9], [f32::NAN, 4e9]] {
            assert!(check(values).is_err(), "{values:?}");
        }
    }

    #[test]
    fn numbers_of_a_box_are_finite_and_a_switch_is_0_or_1() {
        let check = |space: &Space, mut value: f32| {
            Sound::of(space).check(&ObservationMut::F32(std::slice::from_mut(&mut value))).is_ok()
        };
        let (anything, switch) = (Space::boxed(-1.0, 1.0, [1]), Space::MultiBinary { n: 1 });
        assert!(check(&anything, -2.5) && !check(&anything, f32::NAN) && !check(&anything, f32::NEG_INFINITY));
        assert!(check(&switch, 1.0) && !check(&switch, 2.0));
    }
}
