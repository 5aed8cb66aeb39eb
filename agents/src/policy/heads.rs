//! What the heads put out.

/// Outputs of the heads over sequences, or a loss's gradient in them; N = L·B, time-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heads<T> {
    /// Parameters of the action distributions, `[N, P]`.
    pub distributions: Vec<T>,
    /// Values, `[N]`.
    pub values: Vec<T>,
}
