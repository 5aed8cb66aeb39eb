//! Limits of the numbers that a configuration may name.

use crate::{Error, Result};

/// The largest size that a configuration may name: products of two of them are numbers still.
const LARGEST: u64 = (1 << 31) - 1;

/// Refuses sizes that no machine has room for, before anything is computed from them.
///
/// # Errors
/// [`Error::Config`] naming the key.
pub(crate) fn check_sizes(sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size as u64 > LARGEST) {
        Some((key, size)) => Err(Error::config(*key, format!("must be at most {LARGEST}, got {size}"))),
        None => Ok(()),
    }
}

/// Refuses zeros.
pub(crate) fn at_least_one(values: &[(&str, u64)]) -> Result<()> {
    match values.iter().find(|(_, value)| *value == 0) {
        Some((key, _)) => Err(Error::config(*key, "must be at least 1")),
        None => Ok(()),
    }
}
