//! What a network is given.

use super::encoder::ObservationRef;

/// Sequences as the network sees them; every slice is time-major.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Steps L.
    pub steps: usize,
    /// Sequences B.
    pub batch: usize,
    /// `[L, B, O]`
    pub observations: ObservationRef<'a>,
    /// `[L, B]` 1 if the state is zeroed before the step.
    pub episode_starts: &'a [u8],
}
