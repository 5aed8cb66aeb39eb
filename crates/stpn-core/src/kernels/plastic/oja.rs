//! Oja's rule: what it adds to Hebb's, in passes of its own.
//!
//! The update takes the residual `y = z − F̂ᵀh` in place of z. It depends on all neurons of an element, so that it
//! costs a pass over the fast weights forward and two backward.

use super::adjoint::{C_NORM_AFTER, C_SCALE_AFTER, COEFFICIENTS};
use super::form::{ROW_H, ROW_R, ROWS};
use super::record::Record;
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Writes `y_j = z_j − Σ_i h_i·r_i·Φ_ij`, `[G, D, E]`, from rows `[G, blocks, ROWS, E]` with h and r.
pub fn residual<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    phi: &[L::Real],
    rows: &[L::Real],
    z: &[L::Real],
    y: &mut [L::Real],
) {
    let (lanes, blocks, width) = (weights.lanes, weights.blocks, weights.width);
    let phi = L::vectors(phi).as_chunks::<E>().0;
    let rows = L::vectors(rows).as_chunks::<E>().0.as_chunks::<ROWS>().0;
    let (z, y) = (z.as_chunks::<E>().0, y.as_chunks_mut::<E>().0);
    lanes.vectorize(
        #[inline(always)]
        || {
            for (group, rows) in rows.chunks_exact(blocks).enumerate() {
                for column in 0..width {
                    for e in 0..E {
                        let term = |block: usize| {
                            let factor = lanes.mul(rows[block][ROW_H][e], rows[block][ROW_R][e]);
                            lanes.mul(factor, phi[(group * blocks + block) * width + column][e])
                        };
                        let sum = (1..blocks).fold(term(0), |sum, block| lanes.add(sum, term(block)));
                        y[group * width + column][e] = z[group * width + column][e] - lanes.sum(sum);
                    }
                }
            }
        },
    );
}

/// The operands of [`adjoint`]: Φ after and before the step, the gradient X, what the forward pass recorded.
pub struct Backward<'a, T> {
    /// X `[G, blocks, D, E]` vectors.
    pub gradient: &'a [T],
    /// Φ after the step, where the state is normalised after the update.
    pub phi_after: &'a [T],
    /// Φ before the step.
    pub phi: &'a [T],
    /// Activity, `[G, blocks, E]` vectors.
    pub hidden: &'a [T],
    /// The step's record `[G, blocks, len, E]`.
    pub record: &'a [T],
    /// `[G, blocks, COEFFICIENTS, E]` vectors, those after the update filled in.
    pub coefficients: &'a [T],
}

/// Writes the gradient of y, `grad_y_j = Σ_i γ_ij·h_i·M_ij` `[G, D, E]`, and its way back to h through the residual,
/// `Σ_j grad_y_j·F̂_ij`, `[G, blocks, E]` vectors.
pub fn adjoint<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    operands: &Backward<'_, L::Real>,
    grad_y: &mut [L::Real],
    through_residual: &mut [L::Real],
) {
    let (lanes, blocks, width, spec) = (weights.lanes, weights.blocks, weights.width, &weights.spec);
    let vectors = |values| L::vectors(values).as_chunks::<E>().0;
    let (gradient, phi_after, phi) = (vectors(operands.gradient), vectors(operands.phi_after), vectors(operands.phi));
    let (hidden, record) = (vectors(operands.hidden), vectors(operands.record));
    let coefficients = vectors(operands.coefficients).as_chunks::<COEFFICIENTS>().0;
    let grad_y = grad_y.as_chunks_mut::<E>().0;
    let through_residual = L::vectors_mut(through_residual).as_chunks_mut::<E>().0;
    let (zero, one) = (lanes.splat(L::Real::ZERO), lanes.splat(L::Real::ONE));
    let bound = lanes.splat(L::Real::of(spec.config.clamp.unwrap_or(f64::INFINITY)));
    let grad_phi = |row: usize, column: usize, e: usize| {
        let x = gradient[row * width + column][e];
        if !spec.after() {
            return x;
        }
        let after = phi_after[row * width + column][e];
        let [weight, ..] = weights.entries(row % blocks)[column];
        let normed = if spec.of_fast() { after } else { lanes.add(weight, after) };
        let c = &coefficients[row];
        let m = lanes.mul_add(c[C_SCALE_AFTER][e], x, lanes.mul(c[C_NORM_AFTER][e], normed));
        if spec.config.clamp.is_some() { lanes.select(lanes.less(lanes.abs(after), bound), m, zero) } else { m }
    };
    lanes.vectorize(
        #[inline(always)]
        || {
            for group in 0..grad_y.len() / width {
                for column in 0..width {
                    for e in 0..E {
                        let mut sum = zero;
                        for block in 0..blocks {
                            let row = group * blocks + block;
                            let [_, _, gamma] = weights.entries(block)[column];
                            let rate = lanes.mul(gamma, hidden[row][e]);
                            sum = lanes.mul_add(rate, grad_phi(row, column, e), sum);
                        }
                        grad_y[group * width + column][e] = lanes.sum(sum);
                    }
                }
                for row in group * blocks..(group + 1) * blocks {
                    for e in 0..E {
                        let kept =
                            |place: Option<usize>| place.map_or(one, |place| record[row * layout.len + place][e]);
                        let ratio = if spec.before() { kept(layout.ratio.or(layout.inverse)) } else { one };
                        let mut sum = zero;
                        for column in 0..width {
                            let grad = lanes.splat(grad_y[group * width + column][e]);
                            sum = lanes.mul_add(grad, phi[row * width + column][e], sum);
                        }
                        through_residual[row][e] = lanes.mul(sum, lanes.mul(kept(layout.scale), ratio));
                    }
                }
            }
        },
    );
}
