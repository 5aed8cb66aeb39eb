//! Rows that are padded to whole vectors, and rows that are not.

use crate::kernels::lanes::Lanes;

/// Adds `[B, size]` to `[B, gate]`.
pub fn add_rows<L: Lanes>(lanes: L, [gate, size]: [usize; 2], values: &[L::Real], sums: &mut [L::Real]) {
    lanes.vectorize(
        #[inline(always)]
        || {
            for (sums, values) in sums.chunks_exact_mut(gate).zip(values.chunks_exact(size)) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += *value;
                }
            }
        },
    );
}

/// Adds all rows of `[N, width]` to `[width]`.
pub fn sum_rows<L: Lanes>(lanes: L, values: &[L::Real], sums: &mut [L::Real]) {
    let sums = L::vectors_mut(sums);
    lanes.vectorize(
        #[inline(always)]
        || {
            for values in L::vectors(values).chunks_exact(sums.len()) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = lanes.add(*sum, *value);
                }
            }
        },
    );
}

/// Copies `[B, gate]` to `[B, size]`.
pub fn copy_rows<T: Copy>([gate, size]: [usize; 2], padded: &[T], values: &mut [T]) {
    for (values, padded) in values.chunks_exact_mut(size).zip(padded.chunks_exact(gate)) {
        values.copy_from_slice(&padded[..size]);
    }
}

/// Copies `[B, size]` to the beginnings of `[B, row]`.
pub fn take_rows<T: Copy>([row, size]: [usize; 2], values: &[T], padded: &mut [T]) {
    for (padded, values) in padded.chunks_exact_mut(row).zip(values.chunks_exact(size)) {
        padded[..size].copy_from_slice(values);
    }
}
