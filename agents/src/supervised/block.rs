//! Some sequences of the data, as a network sees them.

use super::data::{Answers, Sequences};
use crate::policy::Inputs;
use crate::policy::encoder::ObservationRef;

/// Sequences that are worked on together, each from the zero state.
pub(super) struct Block {
    /// `[T, B, I]`
    pub x: Vec<f32>,
    /// `[A, B]` of their A answers.
    pub targets: Vec<u8>,
    /// `[T, B]` zeros: the state they start from is zero already.
    episode_starts: Vec<u8>,
    batch: usize,
}

impl Block {
    /// The sequences `indices` of `data`.
    pub fn new(data: &dyn Sequences, answers: Answers, indices: &[u32]) -> Self {
        let (steps, batch) = (data.steps(), indices.len());
        let mut x = vec![0.0; steps * batch * data.input()];
        let mut targets = vec![0; answers.count(steps) * batch];
        data.write(indices, &mut x, &mut targets);
        Self { x, targets, episode_starts: vec![0; steps * batch], batch }
    }

    /// What the network is given.
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            steps: self.episode_starts.len() / self.batch,
            batch: self.batch,
            observations: ObservationRef::F32(&self.x),
            episode_starts: &self.episode_starts,
        }
    }
}
