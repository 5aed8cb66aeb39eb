//! How long sequences are, and how many.

/// Extents of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Time steps T.
    pub steps: usize,
    /// Environments B.
    pub batch: usize,
}

/// Rows that one thread of the reduction adds up.
pub const FAN: usize = 32;
