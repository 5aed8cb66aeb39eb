//! Limits of what all algorithms have.

use crate::{Error, Result};

/// Refuses discounts outside of [0, 1].
pub(super) fn check_discounts(gamma: f64, gae_lambda: f64) -> Result<()> {
    for (key, value) in [("algorithm.gamma", gamma), ("algorithm.gae_lambda", gae_lambda)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::config(key, format!("must lie in [0, 1], got {value}")));
        }
    }
    Ok(())
}

/// Refuses factors that are negative or no numbers.
pub(super) fn check_coefficients(coefficients: &[(&str, f64)]) -> Result<()> {
    for &(key, value) in coefficients {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::config(key, format!("must be finite and not negative, got {value}")));
        }
    }
    Ok(())
}
