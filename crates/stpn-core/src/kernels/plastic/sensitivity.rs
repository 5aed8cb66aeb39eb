//! Between two backward passes: from row sums and the activity's gradient to the factors of the next pass.

use super::activity::neuron_sum;
use super::coefficients::{Coefficients, RowSums};
use super::form::NORM_EPSILON;
use super::gradients::Gradients;
use super::record::Record;
use super::weights::{Neuron, Weights};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// 1/n for derivatives of n: zero where the norm itself is zero, as its subgradient.
#[inline(always)]
fn slope<L: Lanes>(lanes: L, inverse: L::Vector) -> L::Vector {
    let limit = lanes.splat(L::Real::of(0.5 / NORM_EPSILON));
    lanes.select(lanes.less(inverse, limit), inverse, lanes.splat(L::Real::ZERO))
}

/// The factor of a row of weights in the derivative of its norm, −`square`/n in units of 1/n, and what those weights are
/// multiplied by before: 1, or, where n is large, 1/n, which the factor is then without.
#[inline(always)]
fn norm_factor<L: Lanes>(lanes: L, square: L::Vector, inverse: L::Vector) -> [L::Vector; 2] {
    let large = lanes.less(inverse, lanes.splat(L::Real::ONE / L::Real::LARGE_NORM));
    let negative = lanes.sub(lanes.splat(L::Real::ZERO), square);
    let one = lanes.splat(L::Real::ONE);
    let factor = lanes.mul(negative, slope(lanes, inverse));
    [lanes.select(large, negative, factor), lanes.select(large, inverse, one)]
}

/// True if a row of one of the groups has a large norm.
#[inline(always)]
pub fn has_large_norm<L: Lanes, const E: usize>(lanes: L, coefficients: &[Coefficients<L::Vector, E>]) -> bool {
    let one = lanes.splat(L::Real::ONE);
    let mut distance = lanes.splat(L::Real::ZERO);
    for c in coefficients {
        for unit in c.unit.iter().chain(&c.unit_after) {
            distance = lanes.add(distance, lanes.abs(lanes.sub(one, *unit)));
        }
    }
    lanes.sum(distance) != L::Real::ZERO
}

/// The factors that Φ after the step needs, for one group's `[blocks]`; `next` is the record of the step after, which
/// has the scale of Φ after this one.
#[inline(always)]
pub fn after_update<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    next: &[[L::Vector; E]],
    sums: &[RowSums<L::Vector, E>],
    coefficients: &mut [Coefficients<L::Vector, E>],
) {
    let lanes = weights.lanes;
    let Some(place) = layout.scale else {
        coefficients.iter_mut().for_each(|c| c.unit_after = [lanes.splat(L::Real::ONE); E]);
        return;
    };
    for (block, c) in coefficients.iter_mut().enumerate() {
        for e in 0..E {
            let scale = next[block * layout.len + place][e];
            // −(X·Φ)/n³, in an order in which nothing overflows where n is zero.
            let square = lanes.mul(lanes.mul(sums[block].along[e], scale), scale);
            c.scale_after[e] = scale;
            [c.norm_after[e], c.unit_after[e]] = norm_factor(lanes, square, scale);
        }
    }
}

/// The step's own values for one group of E elements, each `[blocks, …, E]`.
pub struct StepValues<'a, V, const E: usize> {
    /// What the forward pass recorded.
    pub record: &'a [[V; E]],
    /// Activity.
    pub hidden: &'a [[V; E]],
    /// Gradient of the activity from outside and from the next step.
    pub grad_hidden: &'a mut [[V; E]],
    /// Gradient of the bias state after the step; leaves as that before it.
    pub grad_bias: &'a mut [[V; E]],
}

/// The other factors, and the gradients of the per-neuron parameters.
#[inline(always)]
pub fn sensitivity<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    values: StepValues<'_, L::Vector, E>,
    sums: &[RowSums<L::Vector, E>],
    coefficients: &mut [Coefficients<L::Vector, E>],
    gradients: &mut Gradients<L>,
) {
    let (lanes, spec) = (weights.lanes, &weights.spec);
    let StepValues { record, hidden, grad_hidden, grad_bias } = values;
    let (zero, one) = (lanes.splat(L::Real::ZERO), lanes.splat(L::Real::ONE));
    let kept = |place: Option<usize>, block: usize, e: usize, otherwise: L::Vector| {
        place.map_or(otherwise, |place| record[block * layout.len + place][e])
    };
    for (block, c) in coefficients.iter_mut().enumerate() {
        let sums = &sums[block];
        for e in 0..E {
            let h = hidden[block][e];
            // Σ_j γ·z·M.
            let through_rate = match spec.after() {
                true => {
                    let through_norm = lanes.mul(sums.rate_weights[e], c.unit_after[e]);
                    lanes.mul_add(c.norm_after[e], through_norm, lanes.mul(c.scale_after[e], sums.rate[e]))
                }
                false => sums.rate[e],
            };
            let mut grad = lanes.add(grad_hidden[block][e], through_rate);
            if spec.config.plastic_bias {
                let outer = grad_bias[block][e];
                let before = kept(layout.bias, block, e, zero);
                gradients.add(lanes, Neuron::BiasLambda, block, lanes.mul(outer, before));
                gradients.add(lanes, Neuron::BiasGamma, block, lanes.mul(outer, h));
                grad = lanes.mul_add(weights.neuron(Neuron::BiasGamma, block), outer, grad);
            }
            let derivative =
                if spec.hebbff { lanes.mul(h, lanes.sub(one, h)) } else { lanes.sub(one, lanes.mul(h, h)) };
            grad_hidden[block][e] = lanes.mul(grad, derivative);
            c.hidden[e] = h;
            c.scale[e] = kept(layout.scale, block, e, one);
            c.ratio[e] = kept(layout.ratio.or(layout.inverse), block, e, one);
            // Σ_j λ·F̂·M = Σ_j M·(Φ − γ·h·z), until the next loop makes the factor of G of it.
            c.norm[e] = lanes.sub(sums.along[e], lanes.mul(h, through_rate));
        }
    }
    if spec.config.layer_norm {
        layer_norm(weights, layout, record, grad_hidden, gradients);
    }
    for (block, c) in coefficients.iter_mut().enumerate() {
        for e in 0..E {
            // The gradient of the pre-activation.
            let grad = grad_hidden[block][e];
            gradients.add(lanes, Neuron::Bias, block, grad);
            if spec.config.plastic_bias {
                let decayed = lanes.mul(weights.neuron(Neuron::BiasLambda, block), grad_bias[block][e]);
                grad_bias[block][e] = lanes.add(decayed, grad);
            }
            let inverse = kept(layout.inverse, block, e, one);
            let product = kept(layout.product, block, e, zero);
            c.product[e] = lanes.mul(grad, inverse);
            // Minus the gradients of both norms.
            let forward = lanes.mul(c.product[e], product);
            let state = lanes.mul(c.norm[e], c.ratio[e]);
            let (total, inverse) = match (spec.before(), spec.config.normalize_forward) {
                (true, true) => (lanes.add(forward, state), inverse),
                (true, false) => (state, c.ratio[e]),
                (false, true) => (forward, inverse),
                (false, false) => (zero, one),
            };
            [c.norm[e], c.unit[e]] = norm_factor(lanes, total, inverse);
        }
    }
}

/// Turns the gradients of the layer-normalised pre-activations in `grad` into those of the plain ones.
#[inline(always)]
fn layer_norm<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    record: &[[L::Vector; E]],
    grad: &mut [[L::Vector; E]],
    gradients: &mut Gradients<L>,
) {
    let lanes = weights.lanes;
    let (Some(normal), Some(deviation)) = (layout.normal, layout.deviation) else { return };
    let share = L::Real::ONE / L::Real::of(weights.spec.hidden as f64);
    for e in 0..E {
        for block in 0..weights.blocks {
            let outer = grad[block][e];
            let normal = record[block * layout.len + normal][e];
            gradients.add(lanes, Neuron::Gain, block, lanes.mul(outer, normal));
            gradients.add(lanes, Neuron::Offset, block, outer);
            grad[block][e] = lanes.mul(outer, weights.neuron(Neuron::Gain, block));
        }
        let normal = |block: usize| record[block * layout.len + normal][e];
        let mean = lanes.splat(share * neuron_sum(weights, |block| grad[block][e]));
        let slope = lanes.splat(share * neuron_sum(weights, |block| lanes.mul(grad[block][e], normal(block))));
        for block in 0..weights.blocks {
            let centred = lanes.sub(lanes.sub(grad[block][e], mean), lanes.mul(normal(block), slope));
            let centred = lanes.mul(centred, weights.neuron(Neuron::Exists, block));
            grad[block][e] = lanes.mul(centred, record[block * layout.len + deviation][e]);
        }
    }
}
