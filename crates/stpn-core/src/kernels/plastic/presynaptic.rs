//! Presynaptic vectors z = `[x ; h]` of a cohort, element by element next to one another: `[G, D, E]`.

use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Which batch elements a cohort holds: `groups` groups of E from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First batch element.
    pub first: usize,
    /// Number of groups.
    pub groups: usize,
}

impl Span {
    /// Copies the inputs of one step, x `[B, I]`, into z.
    #[inline(always)]
    pub fn fill_input<T: Real, const E: usize>(self, width: usize, input: usize, x: &[T], z: &mut [T]) {
        for (group, z) in z.chunks_exact_mut(width * E).enumerate().take(self.groups) {
            let first = self.first + group * E;
            let rows: [&[T]; E] = std::array::from_fn(|e| &x[(first + e) * input..][..input]);
            for (column, z) in z.as_chunks_mut::<E>().0[..input].iter_mut().enumerate() {
                for e in 0..E {
                    z[e] = rows[e][column];
                }
            }
        }
    }

    /// Copies activities `[B, H]` into the recurrent columns of z.
    #[inline(always)]
    pub fn fill_hidden<T: Real, const E: usize>(self, width: usize, hidden_size: usize, hidden: &[T], z: &mut [T]) {
        for (group, z) in z.chunks_exact_mut(width * E).enumerate().take(self.groups) {
            let first = self.first + group * E;
            let rows: [&[T]; E] = std::array::from_fn(|e| &hidden[(first + e) * hidden_size..][..hidden_size]);
            let z = &mut z.as_chunks_mut::<E>().0[width - hidden_size..];
            for (column, z) in z[..hidden_size].iter_mut().enumerate() {
                for e in 0..E {
                    z[e] = rows[e][column];
                }
            }
        }
    }

    /// Zeroes columns `from..` of z for every element that `resets` `[B]` marks.
    #[inline(always)]
    pub fn clear_columns<T: Real, const E: usize>(self, width: usize, from: usize, resets: &[u8], z: &mut [T]) {
        for (group, e) in self.marked::<E>(resets) {
            for z in &mut z.as_chunks_mut::<E>().0[group * width + from..(group + 1) * width] {
                z[e] = T::ZERO;
            }
        }
    }

    /// Zeroes the vectors `[G, n, E]` of every element that `resets` `[B]` marks.
    #[inline(always)]
    pub fn clear_vectors<L: Lanes, const E: usize>(self, weights: &Weights<L>, resets: &[u8], values: &mut [L::Real]) {
        let len = values.len() / self.groups;
        let zero = weights.lanes.splat(L::Real::ZERO);
        for (group, e) in self.marked::<E>(resets) {
            for vectors in L::vectors_mut(&mut values[group * len..(group + 1) * len]).as_chunks_mut::<E>().0 {
                vectors[e] = zero;
            }
        }
    }

    /// One of the groups alone.
    #[inline(always)]
    pub fn group<const E: usize>(self, group: usize) -> Self {
        Self { first: self.first + group * E, groups: 1 }
    }

    /// The marked elements as (group, place in the group).
    #[inline(always)]
    pub fn marked<const E: usize>(self, resets: &[u8]) -> impl Iterator<Item = (usize, usize)> {
        let resets = &resets[self.first..self.first + self.groups * E];
        resets.iter().enumerate().filter(|(_, reset)| **reset != 0).map(|(index, _)| (index / E, index % E))
    }
}
