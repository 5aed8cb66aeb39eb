//! What steps and sequences of a cell return.

use candle_core::Tensor;

use crate::State;

/// What one step returns.
#[derive(Clone, Debug)]
pub struct Step {
    /// Activity after the step, `[B, H]`.
    pub hidden: Tensor,
    /// State after the step.
    pub state: State,
}

/// What a sequence returns.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Activity after every step, `[T, B, H]`.
    pub hidden: Tensor,
    /// State after the last step.
    pub state: State,
}
