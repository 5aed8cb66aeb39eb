//! Labelled sequences, and the random streams that they are made from.

use stpn_random::{Purpose, Stream};

/// What data are for. Splits of one seed are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What is learned from.
    Training = 0,
    /// What decides which checkpoint is the best and when to stop.
    Validation = 1,
    /// What the result is measured on.
    Test = 2,
}

impl Split {
    /// The stream of data set number `index` of this split.
    pub(super) fn stream(self, seed: u64, index: u64) -> Stream {
        Stream::new(seed, Purpose::Data, 3 * index + self as u64)
    }
}

/// At which steps of a sequence an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// After the last one.
    Last,
    /// After every one.
    Every,
}

impl Answers {
    /// How many there are in a sequence of `steps`.
    pub fn count(self, steps: usize) -> usize {
        match self {
            Self::Last => 1,
            Self::Every => steps,
        }
    }
}

/// Labelled sequences of one length, each from the zero state.
pub trait Sequences: Sync {
    /// Number of sequences.
    fn len(&self) -> usize;

    /// True without any.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Steps T of each.
    fn steps(&self) -> usize;

    /// Size I of the input at a step.
    fn input(&self) -> usize;

    /// Writes the sequences `indices`, B in number: x `[T, B, I]`, and the targets `[A, B]` of their A answers.
    fn write(&self, indices: &[u32], x: &mut [f32], targets: &mut [u8]);
}
