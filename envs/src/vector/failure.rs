//! What becomes of an environment that fails.

use std::sync::Arc;

use crate::{Env, Result};

/// Makes environment number `index`, whenever it is needed.
pub type Maker = Arc<dyn Fn(usize) -> Result<Box<dyn Env>> + Send + Sync>;

/// What a group does with an environment that fails, panics or returns what is not finite.
#[derive(Clone, Default)]
pub enum OnFailure {
    /// Returns the error.
    #[default]
    Stop,
    /// Puts a new environment, seeded anew, in its place and marks the episode truncated.
    Replace {
        /// Makes the new one.
        make: Maker,
        /// Replacements in this group over its life beyond which the error is returned.
        cap: u64,
    },
}
