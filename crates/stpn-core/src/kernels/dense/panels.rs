//! A matrix laid out for products with it on the right.

use super::product::{Left, Right, product_into, strips};
use crate::kernels::Real;
use crate::kernels::aligned::Aligned;
use crate::kernels::lanes::Lanes;

/// Rows that are laid out together.
const PART: usize = 16;

/// A matrix `[depth, vectors]`, in panels of a few vectors.
#[derive(Debug)]
pub struct Panels<T> {
    depth: usize,
    vectors: usize,
    values: Aligned<T>,
}

impl<T: Real> Panels<T> {
    /// The matrix of `value(row, lane)`, whose rows are `vectors` vectors of `width` lanes.
    pub fn new(depth: usize, vectors: usize, width: usize, value: impl Fn(usize, usize) -> T) -> Self {
        let mut values = Aligned::zeros(depth * vectors * width);
        for (first, count) in strips(vectors) {
            let lanes = count * width;
            let panel = &mut values[first * width * depth..][..lanes * depth];
            // Whichever way the source lies, what is read of a cache line is read together.
            for (part, rows) in panel.chunks_mut(PART * lanes).enumerate() {
                for lane in 0..lanes {
                    for (k, place) in rows[lane..].iter_mut().step_by(lanes).enumerate() {
                        *place = value(part * PART + k, first * width + lane);
                    }
                }
            }
        }
        Self { depth, vectors, values }
    }

    /// Vectors of a row.
    pub fn vectors(&self) -> usize {
        self.vectors
    }

    /// First vector, width and scalars of each panel.
    pub fn strips(&self) -> impl Iterator<Item = (usize, usize, &[T])> {
        let row = self.values.len() / self.vectors.max(1);
        strips(self.vectors).map(move |(first, width)| (first, width, &self.values[first * row..][..width * row]))
    }

    /// Adds `left` `[rows, depth]`, its rows `stride` apart, times this to `out`.
    pub fn multiply<L: Lanes<Real = T>>(&self, lanes: L, rows: usize, left: &[T], stride: usize, out: &mut [T]) {
        self.multiply_into(lanes, rows, left, stride, (out, self.vectors * L::WIDTH));
    }

    /// [`Panels::multiply`] into rows of `out` that begin a given number of scalars apart.
    pub fn multiply_into<L: Lanes<Real = T>>(
        &self,
        lanes: L,
        rows: usize,
        left: &[T],
        stride: usize,
        (out, row): (&mut [T], usize),
    ) {
        let left = Left { values: left, row: stride, inner: 1 };
        let right = Right::Panels { values: &self.values };
        product_into(lanes, [rows, self.depth, self.vectors], left, right, (out, row / L::WIDTH));
    }
}
