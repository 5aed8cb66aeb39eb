//! What is common to the settings of all tasks.

use super::Bounds;
use crate::{Error, Result};

/// Refuses weights that are infinite or no number.
pub(super) fn finite(weights: &[(&'static str, f64)]) -> Result<()> {
    match weights.iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(&(key, value)) => refuse(key, value, "a finite number"),
    }
}

/// Refuses a noise scale that is negative, infinite or no number.
pub(super) fn noise(scale: f64) -> Result<()> {
    if scale.is_finite() && scale >= 0.0 { Ok(()) } else { refuse("reset_noise_scale", scale, "finite, at least 0") }
}

/// Refuses intervals with nothing in them.
pub(super) fn proper(intervals: &[(&'static str, Bounds)]) -> Result<()> {
    match intervals.iter().find(|(_, bounds)| !bounds.is_proper()) {
        None => Ok(()),
        Some(&(key, bounds)) => refuse(key, format!("{bounds:?}"), "min below max"),
    }
}

fn refuse(key: &'static str, value: impl ToString, allowed: &str) -> Result<()> {
    Err(Error::Config { key, value: value.to_string(), allowed: allowed.into() })
}
