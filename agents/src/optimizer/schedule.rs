//! Values that change over a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How far a run has come, and how far it is planned to go: in environment steps over all ranks, or in epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Steps so far.
    pub now: u64,
    /// Steps at the planned end.
    pub end: u64,
}

/// A value over a run: constant, or linear from `initial` to `last`, which it reaches at the run's planned end, or
/// after `horizon` steps if that is given.
///
/// A run that is given more updates plans anew: what ends with the run then ends later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "needs a number, or { initial = …, last = … } and perhaps `horizon`")]
pub enum Schedule {
    /// Always this value.
    Constant(f64),
    /// A straight line, then constant.
    Linear(Linear),
}

/// A straight line over a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Value at step 0.
    pub initial: f64,
    /// Value at the end, and after it.
    pub last: f64,
    /// Environment steps over all ranks, or epochs, over which it moves; not set = the run's planned length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u64>,
}

impl Schedule {
    /// The value at a time of the run.
    pub fn at(self, clock: Clock) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Linear(Linear { initial, last, horizon }) => {
                let end = horizon.unwrap_or(clock.end);
                let progress = (clock.now as f64 / end.max(1) as f64).min(1.0);
                initial + (last - initial) * progress
            }
        }
    }

    /// True if it ends with the run.
    pub fn ends_with_the_run(self) -> bool {
        matches!(self, Self::Linear(Linear { horizon: None, .. }))
    }

    /// Refuses a constant that is not finite and positive, and a line that is not between such values or 0.
    ///
    /// # Errors
    /// [`Error::Config`] naming `key`.
    pub fn check_positive(self, key: &str) -> Result<()> {
        match self {
            Self::Constant(_) => self.check(key, "positive", |value| value > 0.0),
            Self::Linear(Linear { initial, last, .. }) if initial == 0.0 && last == 0.0 => {
                Err(Error::config(key, "must not be 0 from the first to the last step"))
            }
            Self::Linear(_) => self.check_not_negative(key),
        }
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
            Self::Linear(Linear { horizon: Some(0), .. }) => {
                return Err(Error::config(format!("{key}.horizon"), "must be at least 1"));
            }
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
    fn schedules_did_not_know_the_runs_length() {
        let line = |horizon| Schedule::Linear(Linear { initial: 1.0, last: 0.5, horizon });
        let values = |schedule: Schedule, end| [0, 50, 100, 1000].map(|now| schedule.at(Clock { now, end }));
        assert_eq!(values(line(None), 100), [1.0, 0.75, 0.5, 0.5]);
        assert_eq!(values(line(None), 200), [1.0, 0.875, 0.75, 0.5], "a longer run");
        assert_eq!(values(line(Some(100)), 200), [1.0, 0.75, 0.5, 0.5], "told otherwise");
        assert_eq!(Schedule::Constant(0.1).at(Clock { now: 7, end: 9 }), 0.1);
        assert_eq!([line(None), line(Some(1))].map(Schedule::ends_with_the_run), [true, false]);
    }

    #[test]
    fn annealing_to_zero_was_refused() {
        let key = "optimizer.learning_rate";
        let line = |initial, last, horizon| Schedule::Linear(Linear { initial, last, horizon });
        assert!(line(0.1, 0.0, None).check_positive(key).is_ok());
        for wrong in [
            Schedule::Constant(0.0),
            Schedule::Constant(f64::NAN),
            line(0.0, 0.0, None),
            line(0.1, -0.1, None),
            line(0.1, 0.0, Some(0)),
        ] {
            assert!(wrong.check_positive(key).unwrap_err().to_string().contains(key), "{wrong:?}");
        }
    }
}
