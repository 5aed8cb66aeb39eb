//! Lengths of arrays.

use crate::{Error, Result};

/// Refuses arrays of other lengths.
pub(crate) fn check_lens(lens: &[(&'static str, usize)], expected: usize) -> Result<()> {
    match lens.iter().find(|(_, len)| *len != expected) {
        Some(&(what, got)) => Err(Error::Length { what, expected, got }),
        None => Ok(()),
    }
}
