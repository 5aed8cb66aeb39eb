//! Between two backward passes: from row sums and the activity's gradient to the factors of the next pass.

use super::activity::neuron_sum;
use super::adjoint::{
    C_H, C_NORM, C_NORM_AFTER, C_NORM_FAST, C_PRODUCT, C_RATIO, C_SCALE, C_SCALE_AFTER, COEFFICIENTS, SUMS,
};
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

/// The factors that Φ after the step needs, for one group: `coefficients` `[blocks, COEFFICIENTS, E]`, `sums`
/// `[blocks, SUMS, E]`, `next` the record of the step after, which has the scale of Φ after this one.
#[inline(always)]
pub fn after_update<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    next: &[[L::Vector; E]],
    sums: &[[[L::Vector; E]; SUMS]],
    coefficients: &mut [[[L::Vector; E]; COEFFICIENTS]],
) {
    let lanes = weights.lanes;
    let Some(place) = layout.scale else { return };
    for (block, c) in coefficients.iter_mut().enumerate() {
        for e in 0..E {
            let scale = next[block * layout.len + place][e];
            // −(X·Φ)/n³, in an order in which nothing overflows where n is zero.
            let square = lanes.mul(lanes.mul(sums[block][0][e], scale), scale);
            c[C_SCALE_AFTER][e] = scale;
            c[C_NORM_AFTER][e] = lanes.mul(square, lanes.sub(lanes.splat(L::Real::ZERO), slope(lanes, scale)));
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
    /// Oja's rule: `Σ_j grad_y_j·F̂_ij`.
    pub through_residual: Option<&'a [[V; E]]>,
}

/// The other factors, and the gradients of the per-neuron parameters.
#[inline(always)]
pub fn sensitivity<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    layout: Record,
    values: StepValues<'_, L::Vector, E>,
    sums: &[[[L::Vector; E]; SUMS]],
    coefficients: &mut [[[L::Vector; E]; COEFFICIENTS]],
    gradients: &mut Gradients<L>,
) {
    let (lanes, spec) = (weights.lanes, &weights.spec);
    let StepValues { record, hidden, grad_hidden, grad_bias, through_residual } = values;
    let (zero, one) = (lanes.splat(L::Real::ZERO), lanes.splat(L::Real::ONE));
    let kept = |place: Option<usize>, block: usize, e: usize, otherwise: L::Vector| {
        place.map_or(otherwise, |place| record[block * layout.len + place][e])
    };
    for (block, c) in coefficients.iter_mut().enumerate() {
        for e in 0..E {
            let h = hidden[block][e];
            // Σ_j γ·y·(gradient of Φ), and what F̂ contributes to the derivative of the norm before the update.
            let [s0, s1, s2] = [0, 1, 2].map(|which| sums[block][which][e]);
            let through_rate = match spec.after() {
                true => lanes.mul_add(c[C_NORM_AFTER][e], s2, lanes.mul(c[C_SCALE_AFTER][e], s1)),
                false => s0,
            };
            let mut grad = lanes.add(grad_hidden[block][e], through_rate);
            let mut through_ratio = lanes.sub(s1, lanes.mul(h, through_rate));
            if let Some(residual) = through_residual {
                grad = lanes.sub(grad, residual[block][e]);
                through_ratio = lanes.sub(through_ratio, lanes.mul(h, residual[block][e]));
            }
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
            c[C_H][e] = h;
            c[C_SCALE][e] = kept(layout.scale, block, e, one);
            c[C_RATIO][e] = kept(layout.ratio.or(layout.inverse), block, e, one);
            c[C_NORM_FAST][e] = through_ratio;
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
            c[C_PRODUCT][e] = lanes.mul(grad, inverse);
            // Minus the gradients of both norms.
            let forward = lanes.mul(c[C_PRODUCT][e], product);
            let state = lanes.mul(c[C_NORM_FAST][e], c[C_RATIO][e]);
            let of_state = if spec.of_fast() { zero } else { state };
            let (total, inverse) = match (spec.before(), spec.config.normalize_forward) {
                (true, true) => (lanes.add(forward, of_state), inverse),
                (true, false) => (of_state, c[C_RATIO][e]),
                (false, true) => (forward, inverse),
                (false, false) => (zero, zero),
            };
            c[C_NORM][e] = lanes.mul(lanes.sub(zero, total), slope(lanes, inverse));
            c[C_NORM_FAST][e] = lanes.mul(lanes.sub(zero, state), slope(lanes, c[C_RATIO][e]));
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
