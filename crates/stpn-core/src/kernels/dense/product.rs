//! `out += left · right`, in tiles of rows and vectors whose sums stay in registers.

use crate::kernels::lanes::{Lanes, each};

/// Vectors of a tile, at most.
pub const TILE: usize = 3;

/// First vector and width of strips of at most [`TILE`] vectors, as even as can be.
#[inline(always)]
pub fn strips(vectors: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = vectors.div_ceil(TILE);
    let first = move |strip: usize| strip * vectors / count;
    (0..count).map(move |strip| (first(strip), first(strip + 1) - first(strip)))
}

/// Inner indices that a pass over all tiles covers: their share of `right` stays in the first-level cache.
const DEPTH: usize = 128;

/// The left operand: the scalar of row r and inner index k is `values[r·row + k·inner]`.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a, T> {
    pub values: &'a [T],
    pub row: usize,
    pub inner: usize,
}

/// The right operand, `[inner, vectors]`.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a, T> {
    /// Row by row, `row` scalars apart.
    Rows { values: &'a [T], row: usize },
    /// In panels as wide as the [`strips`]; each panel row by row.
    Panels { values: &'a [T] },
}

/// Adds `left` `[rows, depth]` times `right` `[depth, vectors]` to `out`, whose rows are `vectors` vectors long.
pub fn product<L: Lanes>(
    lanes: L,
    extents @ [_, _, vectors]: [usize; 3],
    left: Left<'_, L::Real>,
    right: Right<'_, L::Real>,
    out: &mut [L::Real],
) {
    product_into(lanes, extents, left, right, (out, vectors));
}

/// [`product`] into rows that begin a given number of vectors apart.
pub fn product_into<L: Lanes>(
    lanes: L,
    [rows, depth, vectors]: [usize; 3],
    left: Left<'_, L::Real>,
    right: Right<'_, L::Real>,
    (out, stride): (&mut [L::Real], usize),
) {
    if rows == 0 || depth == 0 || vectors == 0 {
        return;
    }
    assert!((rows - 1) * left.row + (depth - 1) * left.inner < left.values.len(), "the left operand is too short");
    let out = &mut L::vectors_mut(out)[..(rows - 1) * stride + vectors];
    lanes.vectorize(
        #[inline(always)]
        || {
            for from in (0..depth).step_by(DEPTH) {
                let depth = DEPTH.min(depth - from);
                for (first, width) in strips(vectors) {
                    let (panel, row) = match right {
                        Right::Rows { values, row } => (&values[from * row + first * L::WIDTH..], row),
                        Right::Panels { values } => {
                            let full = values.len() / (vectors * L::WIDTH);
                            (&values[(first * full + from * width) * L::WIDTH..], width * L::WIDTH)
                        }
                    };
                    let strip = Strip { rows, depth, left, from, panel, row, stride, first };
                    match width {
                        1 => strip.run::<L, 1>(lanes, out),
                        2 => strip.run::<L, 2>(lanes, out),
                        _ => strip.run::<L, TILE>(lanes, out),
                    }
                }
            }
        },
    );
}

/// The tiles of some inner indices that lie below one another.
struct Strip<'a, T> {
    rows: usize,
    depth: usize,
    left: Left<'a, T>,
    /// First inner index.
    from: usize,
    /// The right operand from that index and the strip's first vector on.
    panel: &'a [T],
    /// Scalars from one of its rows to the next.
    row: usize,
    /// Vectors from a row of `out` to the next.
    stride: usize,
    /// The strip's first vector.
    first: usize,
}

impl<T: Copy> Strip<'_, T> {
    #[inline(always)]
    fn run<L: Lanes<Real = T>, const V: usize>(&self, lanes: L, out: &mut [L::Vector]) {
        assert!((self.depth - 1) * self.row + V * L::WIDTH <= self.panel.len(), "the right operand is too short");
        let mut r = 0;
        // As many sums as half of the registers or more.
        if L::GROUP >= 4 {
            while r + 8 <= self.rows {
                self.tile::<L, 8, V>(lanes, r, out);
                r += 8;
            }
        }
        while r + 4 <= self.rows {
            self.tile::<L, 4, V>(lanes, r, out);
            r += 4;
        }
        while r < self.rows {
            self.tile::<L, 1, V>(lanes, r, out);
            r += 1;
        }
    }

    #[inline(always)]
    fn tile<L: Lanes<Real = T>, const R: usize, const V: usize>(&self, lanes: L, first: usize, out: &mut [L::Vector]) {
        let place = |r: usize| (first + r) * self.stride + self.first;
        let mut sums: [[L::Vector; V]; R] = each(|r| each(|v| out[place(r) + v]));
        // Indices are checked: the multiply-adds leave room for that.
        for (k, right) in self.panel.chunks(self.row).take(self.depth).enumerate() {
            let right = &L::vectors(right)[..V];
            let left = &self.left.values[first * self.left.row + (self.from + k) * self.left.inner..];
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = lanes.splat(left[r * self.left.row]);
                for v in 0..V {
                    sums[v] = lanes.mul_add(left, right[v], sums[v]);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            out[place(r)..place(r) + V].copy_from_slice(&sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dense::Panels;
    use crate::kernels::lanes::Portable;

    /// Every element is one chain in the order of the inner index, whatever the tiles.
    #[test]
    fn products_are_chains_of_multiply_adds() {
        let lanes = Portable::<f64>::new();
        let value = |index: usize| ((index * 37 + 11) % 101) as f64 * 0.13 - 5.0;
        for [rows, depth, vectors] in [[1, 1, 1], [9, 300, 4], [5, 7, 2], [13, 129, 3]] {
            let columns = vectors * 8;
            let left: Vec<f64> = (0..rows * depth).map(value).collect();
            let right: Vec<f64> = (0..depth * columns).map(|index| value(index + 7)).collect();
            let start: Vec<f64> = (0..rows * columns).map(|index| value(index + 3)).collect();
            let mut want = start.clone();
            for (index, want) in want.iter_mut().enumerate() {
                for k in 0..depth {
                    *want += left[index / columns * depth + k] * right[k * columns + index % columns];
                }
            }
            let transposed: Vec<f64> =
                (0..rows * depth).map(|index| left[index % rows * depth + index / rows]).collect();
            let lefts =
                [Left { values: &left, row: depth, inner: 1 }, Left { values: &transposed, row: 1, inner: rows }];
            for left in lefts {
                let mut got = start.clone();
                product(lanes, [rows, depth, vectors], left, Right::Rows { values: &right, row: columns }, &mut got);
                assert_eq!(got, want, "{rows} × {depth} × {columns}");
            }
            let panels = Panels::new(depth, vectors, 8, |k, lane| right[k * columns + lane]);
            let mut got = start.clone();
            panels.multiply(lanes, rows, &left, depth, &mut got);
            assert_eq!(got, want, "{rows} × {depth} × {columns} in panels");
        }
    }
}
