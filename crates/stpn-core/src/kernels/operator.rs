//! The fused kernels as one differentiable candle operator.

use std::sync::Arc;

use candle_core::Tensor;

use super::FusedKernel;
use crate::{Parameters, Result, Sequence, State, StateField};

/// [`crate::Cell::sequence`] by a fused kernel: differentiable in x, every parameter and the initial state.
///
/// # Errors
/// Fails where candle refuses a shape.
pub fn sequence(
    _kernel: Arc<dyn FusedKernel>,
    _parameters: &Parameters,
    _layout: &[StateField],
    _x: &Tensor,
    _resets: Option<&Tensor>,
    _state: &State,
) -> Result<Sequence> {
    Err(candle_core::Error::Msg("no cell has a fused kernel yet".into()).into())
}
