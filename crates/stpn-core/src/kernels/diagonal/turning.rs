//! One step of all complex numbers of a block: `s' = λ⊙s + u`.

use super::layer::DiagonalLayer;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

impl<L: Lanes> DiagonalLayer<L> {
    /// Adds λ⊙s to what drives the numbers, `[B, 2·row]` each.
    pub fn turn(&self, numbers: &[L::Real], driven: &mut [L::Real]) {
        let (lanes, n) = (self.lanes, self.row / L::WIDTH);
        let (a, b) = L::vectors(&self.eigenvalues).split_at(n);
        let rows = L::vectors(numbers).chunks_exact(2 * n).zip(L::vectors_mut(driven).chunks_exact_mut(2 * n));
        let zero = lanes.splat(L::Real::ZERO);
        lanes.vectorize(
            #[inline(always)]
            || {
                for (numbers, driven) in rows {
                    for v in 0..n {
                        let (re, im) = (numbers[v], numbers[n + v]);
                        let minus = lanes.sub(zero, b[v]);
                        driven[v] = lanes.mul_add(a[v], re, lanes.mul_add(minus, im, driven[v]));
                        driven[n + v] = lanes.mul_add(a[v], im, lanes.mul_add(b[v], re, driven[n + v]));
                    }
                }
            },
        );
    }

    /// Backward of [`Self::turn`]: the gradient of the numbers after a step becomes that of those before it; adds that
    /// of λ to `sums`, `[2, row]`.
    pub fn turn_back(&self, numbers: &[L::Real], grad: &mut [L::Real], sums: &mut [L::Real]) {
        let (lanes, n) = (self.lanes, self.row / L::WIDTH);
        let (a, b) = L::vectors(&self.eigenvalues).split_at(n);
        let (sums_a, sums_b) = L::vectors_mut(sums).split_at_mut(n);
        let rows = L::vectors(numbers).chunks_exact(2 * n).zip(L::vectors_mut(grad).chunks_exact_mut(2 * n));
        let zero = lanes.splat(L::Real::ZERO);
        lanes.vectorize(
            #[inline(always)]
            || {
                for (numbers, grad) in rows {
                    for v in 0..n {
                        let (re, im, grad_re, grad_im) = (numbers[v], numbers[n + v], grad[v], grad[n + v]);
                        sums_a[v] = lanes.mul_add(grad_re, re, lanes.mul_add(grad_im, im, sums_a[v]));
                        let turned = lanes.sub(lanes.mul(grad_im, re), lanes.mul(grad_re, im));
                        sums_b[v] = lanes.add(sums_b[v], turned);
                        grad[v] = lanes.mul_add(a[v], grad_re, lanes.mul(b[v], grad_im));
                        grad[n + v] = lanes.mul_add(a[v], grad_im, lanes.mul(lanes.sub(zero, b[v]), grad_re));
                    }
                }
            },
        );
    }

    /// Adds `(|Re λ| + |Im λ|) |s|²` to energies `[B, row]`.
    pub fn add_kept_energy(&self, numbers: &[L::Real], energy: &mut [L::Real]) {
        let (lanes, n) = (self.lanes, self.row / L::WIDTH);
        let (a, b) = L::vectors(&self.eigenvalues).split_at(n);
        let rows = L::vectors(numbers).chunks_exact(2 * n).zip(L::vectors_mut(energy).chunks_exact_mut(n));
        lanes.vectorize(
            #[inline(always)]
            || {
                for (numbers, energy) in rows {
                    for v in 0..n {
                        let square = lanes.mul_add(numbers[v], numbers[v], lanes.mul(numbers[n + v], numbers[n + v]));
                        let size = lanes.add(lanes.abs(a[v]), lanes.abs(b[v]));
                        energy[v] = lanes.mul_add(size, square, energy[v]);
                    }
                }
            },
        );
    }
}
