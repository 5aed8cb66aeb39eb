//! Products of strided matrices by the `gemm` crate, on one thread.

#![allow(unsafe_code, reason = "the gemm crate takes pointers and strides; extents are checked here")]

use crate::kernels::Real;

/// A matrix of which element (i, j) is `values[i·row + j·column]`; elements may overlap.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    pub values: &'a [T],
    pub row: usize,
    pub column: usize,
}

/// Writes `left` `[rows, inner]` times `right` `[inner, columns]` to `out`, dense and row by row, or adds it to what
/// is there.
///
/// # Panics
/// If an operand or `out` is too short.
pub fn multiply<T: Real>(
    [rows, inner, columns]: [usize; 3],
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    out: &mut [T],
    add: bool,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(inner > 0, "an empty sum");
    let last = |matrix: Matrix<'_, T>, i: usize, j: usize| (i - 1) * matrix.row + (j - 1) * matrix.column;
    assert!(last(left, rows, inner) < left.values.len(), "the left operand is too short");
    assert!(last(right, inner, columns) < right.values.len(), "the right operand is too short");
    assert!(rows * columns <= out.len(), "the result does not fit");
    // SAFETY: the largest offsets of all operands are within their slices, as just checked; strides are not negative;
    // `out` is borrowed mutably, so that it overlaps with none of the others, and its elements do not overlap.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            columns as isize,
            add,
            left.values.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.values.as_ptr(),
            right.column as isize,
            right.row as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
