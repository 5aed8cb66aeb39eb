//! What a person would see of an environment.

/// A picture in colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green and blue of every pixel, `[height, width, 3]`.
    pub rgb: Vec<u8>,
}
