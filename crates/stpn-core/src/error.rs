//! The one error type of this crate.

use thiserror::Error;

/// What can go wrong in building or running a cell.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation of candle failed.
    #[error("tensor operation failed: {0}")]
    Candle(#[from] candle_core::Error),

    /// A tensor has another shape than the cell expects.
    #[error("{what}: expected shape {expected}, got {got:?}")]
    Shape {
        /// The tensor's role, e.g. `x` or `state.F`.
        what: String,
        /// The expected shape in words, e.g. `[T, B, 17]`.
        expected: String,
        /// The shape that came.
        got: Vec<usize>,
    },

    /// A configuration value is impossible or contradicts another.
    #[error("cell.{key}: {problem}")]
    Config {
        /// The key below `cell`.
        key: &'static str,
        /// What is wrong with it and what is allowed.
        problem: String,
    },

    /// A cell of one's own that this process does not know.
    #[error(
        "no cell is registered as `{id}` (policy.cell.id); registered are: {registered}. The program that made it \
         registers it at its start (`stpn_core::custom::register`): use that program"
    )]
    Unregistered {
        /// The name asked for.
        id: String,
        /// The names there are.
        registered: String,
    },

    /// A parameter or state field of that name does not exist.
    #[error("no {kind} named `{name}`; there are: {known}")]
    Unknown {
        /// `parameter`, `state field` or `cell`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
