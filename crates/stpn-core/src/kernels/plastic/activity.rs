//! From the sums of a pass to the activity of the step: norms, bias, layer normalisation, activation.

use super::form::{
    NORM_EPSILON, ROW_BIAS, ROW_H, ROW_INVERSE, ROW_R, ROW_S, ROW_SUM, ROWS, SUM_DOT, SUM_PHI_DOT, SUM_PHI_SQUARE,
    SUM_SQUARE, SUM_W_PHI, VARIANCE_EPSILON,
};
use super::record::Record;
use super::spec::Sums;
use super::weights::{Neuron, Weights};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// 1 / (√square + ε)
#[inline(always)]
fn inverse_norm<L: Lanes>(lanes: L, square: L::Vector) -> L::Vector {
    let one = lanes.splat(L::Real::ONE);
    // Rounding may leave a tiny negative square.
    let root = lanes.sqrt(lanes.max(lanes.splat(L::Real::ZERO), square));
    lanes.div(one, lanes.add(root, lanes.splat(L::Real::of(NORM_EPSILON))))
}

/// The scale s of Φ where the state is normalised after the update, from the sums of the pass that wrote Φ.
#[inline(always)]
pub fn scale_after<L: Lanes>(lanes: L, square_w: L::Vector, w_phi: L::Vector, phi: L::Vector) -> L::Vector {
    let both = lanes.add(lanes.add(w_phi, w_phi), phi);
    inverse_norm(lanes, lanes.add(square_w, both))
}

/// True if a sum of squares has overflowed, or something was not finite before.
#[inline(always)]
pub fn overflowed<L: Lanes, const E: usize>(weights: &Weights<L>, rows: &[[[L::Vector; E]; ROWS]]) -> bool {
    let lanes = weights.lanes;
    let squares: &[usize] = match weights.spec.sums() {
        Sums::Dot => return false,
        Sums::Norm => &[ROW_SUM + SUM_SQUARE],
        Sums::Apart => &[ROW_SUM + SUM_W_PHI, ROW_SUM + SUM_PHI_SQUARE],
    };
    let zero = lanes.splat(L::Real::ZERO);
    let mut probe = zero;
    for row in rows {
        for square in squares {
            // 0, or NaN.
            probe = row[*square].iter().fold(probe, |probe, value| lanes.mul_add(*value, zero, probe));
        }
    }
    lanes.sum(probe) != L::Real::ZERO
}

/// 1 / (norm + ε) of a row of `columns` values, however large: they are scaled before they are squared.
#[inline(always)]
pub fn inverse_norm_of<L: Lanes>(lanes: L, columns: usize, value: impl Fn(usize) -> L::Vector) -> L::Vector {
    let one = lanes.splat(L::Real::ONE);
    let largest = (0..columns).fold(one, |largest, column| lanes.max(lanes.abs(value(column)), largest));
    let shrink = lanes.div(one, largest);
    let square = (0..columns).fold(lanes.splat(L::Real::ZERO), |sum, column| {
        let scaled = lanes.mul(value(column), shrink);
        lanes.mul_add(scaled, scaled, sum)
    });
    lanes.mul(shrink, inverse_norm(lanes, square))
}

/// `value` where `square` is finite, else what the other function makes with care.
#[inline(always)]
pub fn with_care<L: Lanes>(lanes: L, square: L::Vector, value: L::Vector, care: impl Fn() -> L::Vector) -> L::Vector {
    let finite = lanes.less(square, lanes.splat(L::Real::of(f64::INFINITY)));
    lanes.select(finite, value, care())
}

/// Takes one group of E elements through a step: `rows` `[blocks, ROWS, E]` come with the sums and leave with
/// activity and scales. `fresh` says that Φ is the state itself, so that s = 1. `overflown` is Φ `[blocks, D, E]` where
/// a sum of squares has overflowed. `record` `[blocks, len, E]`.
#[inline(always)]
pub fn activity<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    fresh: bool,
    overflown: Option<&[[L::Vector; E]]>,
    rows: &mut [[[L::Vector; E]; ROWS]],
    mut record: Option<(Record, &mut [[L::Vector; E]])>,
) {
    let (lanes, spec) = (weights.lanes, &weights.spec);
    let one = lanes.splat(L::Real::ONE);
    let (sums, forward) = (spec.sums(), spec.config.normalize_forward);
    for (block, rows) in rows.iter_mut().enumerate() {
        let square_w = weights.neuron(Neuron::Square, block);
        let bias = weights.neuron(Neuron::Bias, block);
        let overflown = overflown.map(|phi| (weights.entries(block), &phi[block * weights.width..]));
        for e in 0..E {
            let sum = |which: usize| rows[ROW_SUM + which][e];
            let (w_phi, phi_square) = (sum(SUM_W_PHI), sum(SUM_PHI_SQUARE));
            let mut scale = if fresh || !spec.after() { one } else { scale_after(lanes, square_w, w_phi, phi_square) };
            if let (Some((table, phi)), false, true) = (overflown, fresh, spec.after()) {
                scale = with_care(lanes, lanes.add(lanes.abs(w_phi), phi_square), scale, || {
                    inverse_norm_of(lanes, table.len(), |column| lanes.add(table[column][0], phi[column][e]))
                });
            }
            let (product, square) = match sums {
                Sums::Dot => (sum(SUM_DOT), one),
                Sums::Norm => (sum(SUM_DOT), sum(SUM_SQUARE)),
                Sums::Apart => {
                    let both = lanes.mul_add(scale, phi_square, lanes.add(w_phi, w_phi));
                    let product = lanes.mul_add(scale, sum(SUM_PHI_DOT), sum(SUM_DOT));
                    (product, lanes.mul_add(scale, both, square_w))
                }
            };
            let mut of_weights = inverse_norm(lanes, square);
            if let Some((table, phi)) = overflown {
                of_weights = with_care(lanes, square, of_weights, || {
                    inverse_norm_of(lanes, table.len(), |column| lanes.mul_add(scale, phi[column][e], table[column][0]))
                });
            }
            let inverse = if forward { of_weights } else { one };
            let product = if forward { lanes.mul(product, inverse) } else { product };
            let ratio = if spec.before() { of_weights } else { one };
            let mut pre = lanes.add(product, bias);
            if spec.config.plastic_bias {
                pre = lanes.add(pre, rows[ROW_BIAS][e]);
            }
            if let Some((layout, record)) = &mut record {
                let record = &mut record[block * layout.len..];
                let kept = [
                    (layout.product, product),
                    (layout.inverse, inverse),
                    (layout.ratio, ratio),
                    (layout.scale, scale),
                    (layout.bias, rows[ROW_BIAS][e]),
                ];
                for (place, value) in kept {
                    if let Some(place) = place {
                        record[place][e] = value;
                    }
                }
            }
            rows[ROW_S][e] = scale;
            rows[ROW_R][e] = lanes.mul(scale, ratio);
            rows[ROW_INVERSE][e] = inverse;
            rows[ROW_H][e] = pre;
        }
    }
    if spec.config.layer_norm {
        layer_norm(weights, rows, record);
    }
    for (block, rows) in rows.iter_mut().enumerate() {
        for e in 0..E {
            let pre = rows[ROW_H][e];
            let hidden = if spec.hebbff { lanes.sigmoid(pre) } else { lanes.tanh(pre) };
            rows[ROW_H][e] = hidden;
            if spec.config.plastic_bias {
                let decayed = lanes.mul(weights.neuron(Neuron::BiasLambda, block), rows[ROW_BIAS][e]);
                rows[ROW_BIAS][e] = lanes.mul_add(weights.neuron(Neuron::BiasGamma, block), hidden, decayed);
            }
        }
    }
}

/// Layer-normalises the pre-activations in row h over the neurons that exist.
#[inline(always)]
fn layer_norm<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    rows: &mut [[[L::Vector; E]; ROWS]],
    mut record: Option<(Record, &mut [[L::Vector; E]])>,
) {
    let lanes = weights.lanes;
    let share = L::Real::ONE / L::Real::of(weights.spec.hidden as f64);
    for e in 0..E {
        let mean = lanes.splat(share * neuron_sum(weights, |block| rows[block][ROW_H][e]));
        let square = |block: usize| {
            let centred = lanes.sub(rows[block][ROW_H][e], mean);
            lanes.mul(centred, centred)
        };
        let variance = share * neuron_sum(weights, square);
        let deviation = lanes.sqrt(lanes.splat(variance + L::Real::of(VARIANCE_EPSILON)));
        let mut deviation = lanes.div(lanes.splat(L::Real::ONE), deviation);
        if !variance.wide().is_finite() {
            let magnitude = |block: usize| lanes.abs(lanes.sub(rows[block][ROW_H][e], mean));
            let shrink = lanes.splat(L::Real::ONE / neuron_sum(weights, magnitude));
            let square = |block: usize| {
                let scaled = lanes.mul(magnitude(block), shrink);
                lanes.mul(scaled, scaled)
            };
            let variance = lanes.splat(share * neuron_sum(weights, square));
            deviation = lanes.div(shrink, lanes.sqrt(variance));
        }
        for (block, rows) in rows.iter_mut().enumerate() {
            let normal = lanes.mul(lanes.sub(rows[ROW_H][e], mean), deviation);
            let (gain, offset) = (weights.neuron(Neuron::Gain, block), weights.neuron(Neuron::Offset, block));
            rows[ROW_H][e] = lanes.mul_add(normal, gain, offset);
            if let Some((layout, record)) = &mut record {
                for (place, value) in [(layout.normal, normal), (layout.deviation, deviation)] {
                    if let Some(place) = place {
                        record[block * layout.len + place][e] = value;
                    }
                }
            }
        }
    }
}

/// Sum over the neurons that exist.
#[inline(always)]
pub fn neuron_sum<L: Lanes>(weights: &Weights<L>, value: impl Fn(usize) -> L::Vector) -> L::Real {
    let lanes = weights.lanes;
    let mut sum = lanes.splat(L::Real::ZERO);
    for block in 0..weights.blocks {
        sum = lanes.mul_add(weights.neuron(Neuron::Exists, block), value(block), sum);
    }
    lanes.sum(sum)
}
