//! Clamping with a well-defined gradient at the bounds.

use candle_core::Tensor;

use crate::Result;

/// `values` limited to ±`bound`. The gradient is 1 for |value| ≤ bound, the bounds included, and 0 outside.
///
/// candle's `clamp` halves the gradient of values that lie on a bound, where saturated fast weights often do.
pub(super) fn clamp(values: &Tensor, bound: f64) -> Result<Tensor> {
    let limited = values.detach().clamp(-bound, bound)?;
    Ok(values.detach().abs()?.le(bound)?.where_cond(values, &limited)?)
}
