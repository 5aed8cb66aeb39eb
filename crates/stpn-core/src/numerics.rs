//! The number of the arithmetic: what results of different versions may be compared by.

/// Raised whenever a change alters a bit of what a cell's kernel computes, forward or backward, on any instruction set.
///
/// `tests/cells/numerics.rs` has checksums of both for every cell and instruction set, and fails if they change while
/// this number stands still.
pub const NUMERICS: u32 = 1;
