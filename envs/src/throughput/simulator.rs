//! What a simulator is without its environment.

use crate::Result;

/// A simulator doing what it does inside of an environment, and nothing else: no observation, reward or end.
pub trait Bare: Send {
    /// What one step of the environment asks of the simulator, starts of episodes included.
    ///
    /// # Errors
    /// Fails if the simulator does.
    fn step(&mut self) -> Result<()>;
}
