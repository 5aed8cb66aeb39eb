//! How the machine runs kernels on the CPU, and what it finds wrong.

/// In which order blocks, and the threads between two barriers, take their turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By their numbers.
    #[default]
    InOrder,
    /// From the last to the first.
    Reversed,
    /// Mixed, always in the same way.
    Shuffled,
}

/// How the machine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Order of blocks and threads.
    pub order: Order,
    /// A barrier that is left out, by its number in the kernels: a planted race.
    pub without_barrier: Option<i32>,
}

/// What the machine found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many.
    pub count: i64,
    /// The first, in words.
    pub first: String,
}
