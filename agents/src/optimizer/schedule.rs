//! Values that change over a run.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A value over environment steps: constant, or linear from `initial` to `last` over `horizon` steps.
///
/// The horizon is a setting of its own and not the run's length, so that a run continued for longer continues the
/// schedule it began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Schedule {
    /// Always this value.
    Constant(f64),
    /// A straight line, then constant.
    Linear(Linear),
}

/// A straight line over environment steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Value at step 0.
    pub initial: f64,
    /// Value from `horizon` on.
    pub last: f64,
    /// Environment steps over which it moves.
    pub horizon: u64,
}

impl Schedule {
    /// The value after `env_steps` environment steps.
    pub fn at(self, env_steps: u64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Linear(Linear { initial, last, horizon }) => {
                let progress = (env_steps as f64 / horizon.max(1) as f64).min(1.0);
                initial + (last - initial) * progress
            }
        }
    }

    /// Refuses values that are not finite and positive.
    ///
    /// # Errors
    /// [`Error::Config`] naming `key`.
    pub fn check_positive(self, key: &str) -> Result<()> {
        self.check(key, "positive", |value| value > 0.0)
    }

    /// Refuses values that are not finite or negative.
    ///
    /// # Errors
    /// [`Error::Config`] naming `key`.
    pub fn check_not_negative(self, key: &str) -> Result<()> {
        self.check(key, "0 or more", |value| value >= 0.0)
    }

    fn check(self, key: &str, what: &str, holds: impl Fn(f64) -> bool) -> Result<()> {
        let (first, last) = match self {
            Self::Constant(value) => (value, value),
            Self::Linear(Linear { initial, last, .. }) => (initial, last),
        };
        match [first, last].into_iter().find(|value| !(value.is_finite() && holds(*value))) {
            Some(value) => Err(Error::config(key, format!("must be {what} and finite, got {value}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_moves_and_then_stays() {
        let schedule = Schedule::Linear(Linear { initial: 1.0, last: 0.5, horizon: 100 });
        assert_eq!([0, 50, 100, 1000].map(|s| schedule.at(s)), [1.0, 0.75, 0.5, 0.5]);
        assert_eq!(Schedule::Constant(0.1).at(7), 0.1);
        assert!(Schedule::Constant(f64::NAN).check_positive("optimizer.learning_rate").is_err());
    }
}
