//! What becomes of an element's rows before F is touched: unit vectors of query and key, and the gates.

use super::NORM_EPSILON;
use super::layer::{AssociativeLayer, KEEP, KEEP_SIGMOID, KEY, KEY_SCALE, MATCH, QUERY, QUERY_SCALE, ROWS, WRITE};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Square roots in the keep gate, which is the 16th root of a sigmoid.
const ROOTS: usize = 4;

impl<L: Lanes> AssociativeLayer<L> {
    /// Makes query and key unit vectors and opens the gates, in place, `[B, width]`.
    pub fn open(&self, made: &mut [L::Real]) {
        let (lanes, n) = (self.lanes, self.layout.blocks);
        lanes.vectorize(
            #[inline(always)]
            || {
                for made in made.chunks_exact_mut(self.width) {
                    let (rows, scalars) = made.split_at_mut(ROWS * self.layout.row());
                    let rows = L::vectors_mut(rows);
                    for (part, scale) in [(QUERY, QUERY_SCALE), (KEY, KEY_SCALE)] {
                        let row = &mut rows[part * n..(part + 1) * n];
                        let square = dot(lanes, row, row) + L::Real::of(NORM_EPSILON);
                        let inverse = lanes.div(lanes.splat(L::Real::ONE), lanes.sqrt(lanes.splat(square)));
                        for value in row {
                            *value = lanes.mul(*value, inverse);
                        }
                        scalars[scale] = first::<L>(inverse);
                    }
                    scalars[MATCH] = dot(lanes, &rows[QUERY * n..][..n], &rows[KEY * n..][..n]);
                    let sigmoid = lanes.sigmoid(lanes.splat(scalars[KEEP]));
                    let keep = (0..ROOTS).fold(sigmoid, |root, _| lanes.sqrt(root));
                    scalars[WRITE] = first::<L>(lanes.sigmoid(lanes.splat(scalars[WRITE])));
                    scalars[KEEP_SIGMOID] = first::<L>(sigmoid);
                    scalars[KEEP] = first::<L>(keep);
                }
            },
        );
    }

    /// Backward of [`Self::open`]: `grad` `[B, width]` has the gradients of unit vectors and gates, and gets those of what
    /// inputs made.
    pub fn open_back(&self, made: &[L::Real], grad: &mut [L::Real]) {
        let (lanes, n) = (self.lanes, self.layout.blocks);
        let zero = lanes.splat(L::Real::ZERO);
        lanes.vectorize(
            #[inline(always)]
            || {
                for (made, grad) in made.chunks_exact(self.width).zip(grad.chunks_exact_mut(self.width)) {
                    let (rows, scalars) = made.split_at(ROWS * self.layout.row());
                    let (grad_rows, grad_scalars) = grad.split_at_mut(ROWS * self.layout.row());
                    let (rows, grad_rows) = (L::vectors(rows), L::vectors_mut(grad_rows));
                    for (part, scale) in [(QUERY, QUERY_SCALE), (KEY, KEY_SCALE)] {
                        let (row, grad) = (&rows[part * n..][..n], &mut grad_rows[part * n..][..n]);
                        // The part of the gradient along the vector does not count.
                        let along = lanes.sub(zero, lanes.splat(dot(lanes, row, grad)));
                        let scale = lanes.splat(scalars[scale]);
                        for (grad, value) in grad.iter_mut().zip(row) {
                            *grad = lanes.mul(scale, lanes.mul_add(along, *value, *grad));
                        }
                    }
                    let (write, keep, sigmoid) = (scalars[WRITE], scalars[KEEP], scalars[KEEP_SIGMOID]);
                    grad_scalars[WRITE] *= write * (L::Real::ONE - write);
                    let slope = L::Real::of(1.0 / f64::from(1 << ROOTS)) * keep * (L::Real::ONE - sigmoid);
                    grad_scalars[KEEP] *= slope;
                    grad_scalars[KEEP + 1..].fill(L::Real::ZERO);
                }
            },
        );
    }

    /// Adds the energies of a unit's rows, `[B, width]`, to `[B, row]`.
    pub fn gather(&self, rows: &[L::Real], energy: &mut [L::Real]) {
        let row = self.layout.row();
        for (rows, energy) in rows.chunks_exact(self.width).zip(energy.chunks_exact_mut(row)) {
            for part in rows[..ROWS * row].chunks_exact(row) {
                for (energy, part) in energy.iter_mut().zip(part) {
                    *energy += *part;
                }
            }
        }
    }
}

/// a·b, by one chain of multiply-adds a lane.
#[inline(always)]
fn dot<L: Lanes>(lanes: L, a: &[L::Vector], b: &[L::Vector]) -> L::Real {
    let zero = lanes.splat(L::Real::ZERO);
    lanes.sum(a.iter().zip(b).fold(zero, |sum, (a, b)| lanes.mul_add(*a, *b, sum)))
}

/// The value that all lanes have.
#[inline(always)]
fn first<L: Lanes>(vector: L::Vector) -> L::Real {
    // As long as the longest vector there is.
    let mut values = [L::Real::ZERO; 16];
    L::vectors_mut(&mut values[..L::WIDTH])[0] = vector;
    values[0]
}
