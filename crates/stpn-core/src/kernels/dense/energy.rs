//! Squares of inputs, for energies.

use crate::kernels::Real;

/// Squares of x `[B, I]`, each input multiplied by its factor in `mask` `[I]`.
pub fn masked_squares<T: Real>(x: &[T], mask: Option<&[T]>, squares: &mut Vec<T>) {
    squares.clear();
    match mask {
        Some(mask) => squares.extend(x.iter().zip(mask.iter().cycle()).map(|(x, mask)| *x * *mask * (*x * *mask))),
        None => squares.extend(x.iter().map(|x| *x * *x)),
    }
}
