//! What is checked.

/// How long to look.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Steps within which an episode of random actions has to end. Each check takes as many as that episode, and 100
    /// more.
    pub steps: usize,
    /// Of the environment and of the random actions.
    pub seed: u64,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { steps: 20_000, seed: 1 }
    }
}
