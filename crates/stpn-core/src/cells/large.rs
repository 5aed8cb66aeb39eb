//! Rows so large that their squares overflow.

use candle_core::{D, DType, Tensor};

use crate::Result;
use crate::kernels::Real;

/// What to divide rows `[…, n]` by before they are squared, `[…, 1]`: 1 if that is not needed. None if no square
/// of the given ones overflowed. Cut from the graph: whoever divides by it divides twice what it was taken for.
pub(super) fn row_scale(rows: &Tensor, squares: &Tensor) -> Result<Option<Tensor>> {
    if squares.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?.is_finite() {
        return Ok(None);
    }
    let large = match rows.dtype() {
        DType::F64 => f64::LARGE_NORM,
        _ => f64::from(f32::LARGE_NORM),
    };
    let largest = rows.detach().abs()?.max_keepdim(D::Minus1)?;
    Ok(Some(largest.gt(large)?.where_cond(&largest, &largest.ones_like()?)?))
}
