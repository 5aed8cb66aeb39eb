//! Adapters for the crate `gymnasium-rs`, in both directions (cargo feature `gymnasium-rs`).
//!
//! Its environments are generic over observation and action; those of observations `Array1<f32>` and actions `i32` or
//! `Array1<f32>` correspond to ours.

mod from_gymnasium;
mod to_gymnasium;

pub use from_gymnasium::FromGymnasium;
use ndarray::Array1;
pub use to_gymnasium::ToGymnasium;

use crate::{Action, Error, Result};

/// A type of action of `gymnasium-rs` that corresponds to one of ours.
pub trait ActionType: Sized {
    /// Theirs from ours.
    ///
    /// # Errors
    /// [`Error::Action`] for an action of the other kind.
    fn from_ours(action: Action<'_>) -> Result<Self>;

    /// Calls `take` with ours from theirs.
    fn with_ours<R>(&self, take: impl FnOnce(Action<'_>) -> R) -> R;
}

impl ActionType for i32 {
    fn from_ours(action: Action<'_>) -> Result<Self> {
        Ok(action.discrete(Self::MAX as usize)? as Self)
    }

    fn with_ours<R>(&self, take: impl FnOnce(Action<'_>) -> R) -> R {
        // A negative number is a choice that no space has.
        take(Action::Discrete(usize::try_from(*self).unwrap_or(usize::MAX)))
    }
}

impl ActionType for Array1<f32> {
    fn from_ours(action: Action<'_>) -> Result<Self> {
        match action {
            Action::Continuous(values) => Ok(values.to_vec().into()),
            other => Err(Error::Action { action: format!("{other:?}"), space: "a box".into() }),
        }
    }

    fn with_ours<R>(&self, take: impl FnOnce(Action<'_>) -> R) -> R {
        match self.as_slice() {
            Some(values) => take(Action::Continuous(values)),
            None => take(Action::Continuous(&self.to_vec())),
        }
    }
}
