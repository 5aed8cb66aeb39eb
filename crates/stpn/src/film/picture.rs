//! A picture in memory.

/// Pixels of one picture, RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}
