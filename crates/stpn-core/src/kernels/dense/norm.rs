//! Layer normalisation of rows.

use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Added to the variance, as everywhere in the field.
const EPSILON: f64 = 1e-5;

/// Normalised values `[B, width]` and deviations `[B]`.
pub type Normed<'a, T> = (&'a mut [T], &'a mut [T]);

/// Normalises rows `[B, width]` of `count` values in place. `norm` is `[3, width]`: gain, offset, and 1 on the lanes
/// that count. Where asked for, keeps the normalised values `[B, width]` and the deviations `[B]`.
pub fn normalize<L: Lanes>(
    lanes: L,
    count: usize,
    norm: &[L::Real],
    rows: &mut [L::Real],
    mut kept: Option<Normed<'_, L::Real>>,
) {
    let width = norm.len() / 3;
    let share = L::Real::of(1.0 / count as f64);
    lanes.vectorize(
        #[inline(always)]
        || {
            let norm = L::vectors(norm);
            let n = norm.len() / 3;
            for (row, values) in rows.chunks_exact_mut(width).enumerate() {
                let values = L::vectors_mut(values);
                let mut total = lanes.splat(L::Real::ZERO);
                for value in values.iter() {
                    total = lanes.add(total, *value);
                }
                let mean = lanes.splat(lanes.sum(total) * share);
                let mut squares = lanes.splat(L::Real::ZERO);
                for (value, mask) in values.iter_mut().zip(&norm[2 * n..]) {
                    *value = lanes.mul(lanes.sub(*value, mean), *mask);
                    squares = lanes.mul_add(*value, *value, squares);
                }
                let variance = lanes.sum(squares) * share;
                let deviation = match variance.wide().is_finite() {
                    true => L::Real::of((variance.wide() + EPSILON).sqrt()),
                    false => large_deviation(lanes, share, values),
                };
                let inverse = lanes.splat(L::Real::ONE / deviation);
                for (v, value) in values.iter_mut().enumerate() {
                    let normalized = lanes.mul(*value, inverse);
                    if let Some((all, _)) = &mut kept {
                        L::vectors_mut(&mut all[row * width..(row + 1) * width])[v] = normalized;
                    }
                    *value = lanes.mul_add(normalized, norm[v], norm[n + v]);
                }
                if let Some((_, deviations)) = &mut kept {
                    deviations[row] = deviation;
                }
            }
        },
    );
}

/// Deviation of centred values so large that their squares overflow: they are scaled before.
#[inline(always)]
fn large_deviation<L: Lanes>(lanes: L, share: L::Real, values: &[L::Vector]) -> L::Real {
    let zero = lanes.splat(L::Real::ZERO);
    let total = lanes.sum(values.iter().fold(zero, |sum, value| lanes.add(sum, lanes.abs(*value))));
    let shrink = lanes.splat(L::Real::ONE / total);
    let squares = values.iter().fold(zero, |sum, value| {
        let scaled = lanes.mul(*value, shrink);
        lanes.mul_add(scaled, scaled, sum)
    });
    L::Real::of(total.wide() * (lanes.sum(squares) * share).wide().sqrt())
}

/// Backward of [`normalize`], in place on the gradients `[B, width]`; adds those of gain and offset to `sums`
/// `[2, width]`.
pub fn normalize_back<L: Lanes>(
    lanes: L,
    count: usize,
    norm: &[L::Real],
    kept: (&[L::Real], &[L::Real]),
    grads: &mut [L::Real],
    sums: &mut [L::Real],
) {
    let width = norm.len() / 3;
    let share = L::Real::of(1.0 / count as f64);
    lanes.vectorize(
        #[inline(always)]
        || {
            let norm = L::vectors(norm);
            let (gain_sums, offset_sums) = sums.split_at_mut(width);
            let (gain_sums, offset_sums) = (L::vectors_mut(gain_sums), L::vectors_mut(offset_sums));
            let n = norm.len() / 3;
            let rows = grads.chunks_exact_mut(width).zip(kept.0.chunks_exact(width)).zip(kept.1);
            for ((grads, normalized), deviation) in rows {
                let (grads, normalized) = (L::vectors_mut(grads), L::vectors(normalized));
                let (mut mean, mut along) = (lanes.splat(L::Real::ZERO), lanes.splat(L::Real::ZERO));
                for v in 0..n {
                    gain_sums[v] = lanes.mul_add(grads[v], normalized[v], gain_sums[v]);
                    offset_sums[v] = lanes.add(offset_sums[v], grads[v]);
                    grads[v] = lanes.mul(grads[v], norm[v]);
                    mean = lanes.add(mean, grads[v]);
                    along = lanes.mul_add(grads[v], normalized[v], along);
                }
                let (mean, along) = (lanes.splat(lanes.sum(mean) * share), lanes.splat(lanes.sum(along) * share));
                let inverse = lanes.splat(L::Real::ONE / *deviation);
                for v in 0..n {
                    let centred = lanes.sub(lanes.sub(grads[v], mean), lanes.mul(normalized[v], along));
                    grads[v] = lanes.mul(lanes.mul(centred, inverse), norm[2 * n + v]);
                }
            }
        },
    );
}
