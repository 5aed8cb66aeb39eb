//! Where energy is measured in the data of a task.

/// Sequences that are measured together on the CPU.
pub(super) const MEASURED: usize = 16;

/// Where energy is measured.
#[derive(Clone, Copy, Debug)]
pub struct EnergySampling<'a> {
    /// In the first so many sequences, rounded up to whole blocks.
    pub sequences: usize,
    /// At every so many steps, the first included.
    pub every: usize,
    /// `[I]`, 0 for inputs left out.
    pub input_mask: Option<&'a [f32]>,
}

impl EnergySampling<'_> {
    /// Everywhere.
    pub fn full() -> Self {
        Self { sequences: usize::MAX, every: 1, input_mask: None }
    }
}
