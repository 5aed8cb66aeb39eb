//! Lengths of arrays.

use crate::{Error, Result};

/// Refuses an array of another length.
pub(crate) fn expect(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// The same of several arrays.
pub(crate) fn expect_all(lengths: &[(&'static str, usize)], expected: usize) -> Result<()> {
    lengths.iter().try_for_each(|&(what, got)| expect(what, got, expected))
}

/// Number of elements of an array, wherever it lies.
pub trait Length {
    /// That number.
    fn length(&self) -> usize;
}

impl<T> Length for [T] {
    fn length(&self) -> usize {
        self.len()
    }
}
