//! The pass over the fast weights in the backward direction: the gradients of one step fused with the sums that the
//! step before it needs.
//!
//! X is the gradient with respect to the state F = s·Φ. The pass of step t turns X_t into X_{t−1} in place, adds to
//! the gradients of W, λ and γ, makes the columns' sums (the gradient of z), and, with X_{t−1} still in the register,
//! the row sums of step t−1.

use super::gradients::Gradients;
use super::recompute::Steps;
use super::update::UpdateForm;
use super::weights::{ENTRY, Weights};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Columns in a chunk: what its runs need stays in the first- and second-level caches from block to block.
pub const CHUNK: usize = 64;

/// Scale s of Φ after the step.
pub const C_SCALE_AFTER: usize = 0;
/// Factor of W + Φ in the gradient of Φ: the derivative of the norm after the update.
pub const C_NORM_AFTER: usize = 1;
/// 1/n of the normalisation before the update.
pub const C_RATIO: usize = 2;
/// Scale s of Φ before the step.
pub const C_SCALE: usize = 3;
/// Activity h.
pub const C_H: usize = 4;
/// Gradient of the product G·z.
pub const C_PRODUCT: usize = 5;
/// Factor of G: the derivative of ‖G‖.
pub const C_NORM: usize = 6;
/// Factor of F: the derivative of ‖F‖ where that norm divides before the update.
pub const C_NORM_FAST: usize = 7;
/// Per-row factors of the pass.
pub const COEFFICIENTS: usize = 8;

/// Row sums of the pass. Normalised after the update: `X·Φ`, `γ·y·X`, `γ·y·(W + Φ)`; else: `γ·y·X`, `X·Φ`.
pub const SUMS: usize = 3;

/// What a pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjointForm {
    /// The step itself; without it only the sums of X and Φ as they are.
    pub step: bool,
    /// The state is normalised after the update.
    pub after: bool,
    /// The state is normalised before the update.
    pub before: bool,
    /// ‖G‖ takes part.
    pub norm: bool,
    /// Φ is limited to ±bound.
    pub clamped: bool,
    /// The gradient of z is wanted.
    pub columns: bool,
    /// The state is divided by ‖F‖ and not by ‖G‖.
    pub of_fast: bool,
    /// Oja's rule.
    pub oja: bool,
}

impl AdjointForm {
    /// The form of a layer's steps.
    pub fn new<L: Lanes>(weights: &Weights<L>, columns: bool) -> Self {
        let spec = &weights.spec;
        Self {
            step: true,
            after: spec.after(),
            before: spec.before(),
            norm: spec.config.normalize_forward || spec.before() || spec.after(),
            clamped: spec.config.clamp.is_some(),
            columns: columns || spec.oja(),
            of_fast: spec.of_fast(),
            oja: spec.oja(),
        }
    }
}

/// The operands of a pass over a cohort of G groups of E batch elements.
pub struct Operands<'a, T> {
    /// X `[G, blocks, D, E]` vectors, replaced.
    pub gradient: &'a mut [T],
    /// Φ after the step, `[G, blocks, D, E]` vectors; read only where the state is normalised after the update.
    pub phi_after: &'a [T],
    /// Φ before the step, or before the first of `replay`.
    pub phi: &'a [T],
    /// Updates that lead from `phi` to Φ before the step, and their number.
    pub replay: (Steps<'a, T>, usize),
    /// Presynaptic vector of the step, `[G, D, E]`.
    pub z: &'a [T],
    /// What the step's update took for it.
    pub y: &'a [T],
    /// What the update of the step before took.
    pub y_before: &'a [T],
    /// Oja's rule: gradient of y, `[G, D, E]`.
    pub grad_y: &'a [T],
    /// `[G, blocks, COEFFICIENTS, E]` vectors.
    pub coefficients: &'a [T],
    /// `[G, blocks, SUMS, E]` vectors, overwritten.
    pub sums: &'a mut [T],
    /// Scratch, each `[CHUNK, E]` vectors.
    pub columns: &'a mut [T],
    pub again: &'a mut [T],
    /// Gradient of z, `[G, D, E]`, overwritten where wanted.
    pub grad_z: &'a mut [T],
    /// Φ before the step came out of a clamp; not so at the start of a sequence.
    pub bounded: bool,
}

/// Runs a pass in the loop made for its form.
pub fn pass<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    form: AdjointForm,
    gradients: &mut Gradients<L>,
    operands: Operands<'_, L::Real>,
) {
    macro_rules! forms {
        ($($after:literal $before:literal $norm:literal $clamped:literal $columns:literal;)*) => {
            weights.lanes.vectorize(
                #[inline(always)]
                || match form {
                    $(AdjointForm {
                        step: true,
                        after: $after,
                        before: $before,
                        norm: $norm,
                        clamped: $clamped,
                        columns: $columns,
                        of_fast: false,
                        oja: false,
                    } => {
                        let form = AdjointForm {
                            step: true,
                            after: $after,
                            before: $before,
                            norm: $norm,
                            clamped: $clamped,
                            columns: $columns,
                            of_fast: false,
                            oja: false,
                        };
                        chunks::<L, E>(weights, form, gradients, operands);
                    })*
                    _ => chunks::<L, E>(weights, form, gradients, operands),
                },
            )
        };
    }
    forms! {
        false false false false false;
        false false false false true;
        false false false true false;
        false false false true true;
        false false true false true;
        false true true false true;
        true false true false true;
        true false true true true;
    }
}

/// Chunks of columns, for each all groups, for each all blocks: the chunk of the table and of its gradients stays in
/// the second-level cache from group to group, the columns' sums in the first from block to block.
#[inline(always)]
fn chunks<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    form: AdjointForm,
    gradients: &mut Gradients<L>,
    operands: Operands<'_, L::Real>,
) {
    let lanes = weights.lanes;
    let (blocks, width) = (weights.blocks, weights.width);
    let Operands { gradient, phi_after, phi, z, y, y_before, grad_y, coefficients, sums, columns, grad_z, .. } =
        operands;
    let Operands { bounded, again, replay: (replay, replays), .. } = operands;
    let groups = z.len() / (width * E);
    let limit = if bounded { weights.spec.config.clamp.unwrap_or(f64::INFINITY) } else { f64::INFINITY };
    let bounds = [weights.spec.config.clamp.unwrap_or(f64::INFINITY), limit];
    let bounds = bounds.map(|bound| lanes.splat(L::Real::of(bound)));
    let zero = lanes.splat(L::Real::ZERO);
    let gradient = L::vectors_mut(gradient).as_chunks_mut::<E>().0;
    let phi_after = L::vectors(phi_after).as_chunks::<E>().0;
    let phi = L::vectors(phi).as_chunks::<E>().0;
    let coefficients = L::vectors(coefficients).as_chunks::<E>().0.as_chunks::<COEFFICIENTS>().0;
    let totals = L::vectors_mut(sums).as_chunks_mut::<E>().0.as_chunks_mut::<SUMS>().0;
    let columns = L::vectors_mut(columns).as_chunks_mut::<E>().0;
    let [z, y, y_before, grad_y] = [z, y, y_before, grad_y].map(|values| values.as_chunks::<E>().0);
    let grad_z = grad_z.as_chunks_mut::<E>().0;
    let again = L::vectors_mut(again).as_chunks_mut::<E>().0;
    for start in (0..width).step_by(CHUNK) {
        let end = width.min(start + CHUNK);
        for group in 0..groups {
            let here = group * width + start..group * width + end;
            if form.columns {
                columns[..end - start].fill([zero; E]);
            }
            for block in 0..blocks {
                let row = group * blocks + block;
                let run = row * width + start..row * width + end;
                let mut phi = &phi[run.clone()];
                // The normalisation after the update never replays: it needs Φ on either side.
                if !form.after && replays > 0 {
                    let again = &mut again[..end - start];
                    let update = UpdateForm { update: true, scaled: form.before, clamped: form.clamped, sums: None };
                    for step in 0..replays {
                        let from = (step == 0).then_some(phi);
                        replay.update(weights, update, bounds[0], step, row, start..end, from, again);
                    }
                    phi = again;
                }
                let sums = run_of_columns(
                    lanes,
                    form,
                    bounds,
                    &weights.entries(block)[start..end],
                    &mut gradients.entries(block)[start..end],
                    &mut gradient[run.clone()],
                    if form.after { &phi_after[run] } else { phi },
                    phi,
                    &z[here.clone()],
                    &y[here.clone()],
                    &y_before[here.clone()],
                    if form.oja { &grad_y[here.clone()] } else { &z[here.clone()] },
                    &coefficients[row],
                    columns,
                );
                for (which, sum) in sums.into_iter().enumerate() {
                    for (e, sum) in sum.into_iter().enumerate() {
                        let total = &mut totals[row][which][e];
                        *total = if start == 0 { sum } else { lanes.add(*total, sum) };
                    }
                }
            }
            if form.columns && form.step {
                for (grad_z, columns) in grad_z[here].iter_mut().zip(columns.iter()) {
                    for e in 0..E {
                        grad_z[e] = lanes.sum(columns[e]);
                    }
                }
            }
        }
    }
}

/// The inner loop: a run of columns of one block of neurons, E batch elements at a time.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
fn run_of_columns<L: Lanes, const E: usize>(
    lanes: L,
    form: AdjointForm,
    bounds: [L::Vector; 2],
    table: &[[L::Vector; ENTRY]],
    gradients: &mut [[L::Vector; ENTRY]],
    gradient: &mut [[L::Vector; E]],
    phi_after: &[[L::Vector; E]],
    phi: &[[L::Vector; E]],
    z: &[[L::Real; E]],
    y: &[[L::Real; E]],
    y_before: &[[L::Real; E]],
    grad_y: &[[L::Real; E]],
    coefficients: &[[L::Vector; E]; COEFFICIENTS],
    columns: &mut [[L::Vector; E]],
) -> [[L::Vector; E]; SUMS] {
    let n = table.len();
    let (gradients, gradient, columns) = (&mut gradients[..n], &mut gradient[..n], &mut columns[..n]);
    let (phi_after, phi) = (&phi_after[..n], &phi[..n]);
    let (z, y, y_before, grad_y) = (&z[..n], &y[..n], &y_before[..n], &grad_y[..n]);
    let zero = lanes.splat(L::Real::ZERO);
    let c = coefficients;
    let mut sums = [[zero; E]; SUMS];
    for j in 0..n {
        let [weight, lambda, gamma] = table[j];
        let [mut grad_weight, mut grad_lambda, mut grad_gamma] = gradients[j];
        for e in 0..E {
            let mut x = gradient[j][e];
            let before = phi[j][e];
            if form.step {
                // The gradient of Φ after the step.
                let mut m = x;
                if form.after {
                    let after = phi_after[j][e];
                    let normed = if form.of_fast { after } else { lanes.add(weight, after) };
                    let through_norm = lanes.mul(c[C_NORM_AFTER][e], normed);
                    if !form.of_fast {
                        grad_weight = lanes.add(grad_weight, through_norm);
                    }
                    m = lanes.mul_add(c[C_SCALE_AFTER][e], x, through_norm);
                    if form.clamped {
                        m = lanes.select(lanes.less(lanes.abs(after), bounds[0]), m, zero);
                    }
                }
                // The update: λ·F̂ + γ·h·y.
                let fast = if form.after { lanes.mul(c[C_SCALE][e], before) } else { before };
                let m_ratio = if form.before { lanes.mul(m, c[C_RATIO][e]) } else { m };
                grad_lambda = lanes.mul_add(m_ratio, fast, grad_lambda);
                let m_h = lanes.mul(m, c[C_H][e]);
                grad_gamma = lanes.mul_add(m_h, lanes.splat(y[j][e]), grad_gamma);
                // The product and the norm.
                let effective = lanes.add(weight, fast);
                let mut grad_effective = lanes.mul(c[C_PRODUCT][e], lanes.splat(z[j][e]));
                if form.norm {
                    grad_effective = lanes.mul_add(c[C_NORM][e], effective, grad_effective);
                }
                grad_weight = lanes.add(grad_weight, grad_effective);
                if form.columns {
                    let column = lanes.mul_add(c[C_PRODUCT][e], effective, columns[j][e]);
                    columns[j][e] = lanes.mul_add(gamma, m_h, column);
                }
                x = lanes.mul_add(lambda, m_ratio, grad_effective);
                if form.oja {
                    let through_residual = lanes.mul(c[C_H][e], lanes.splat(grad_y[j][e]));
                    let ratio = if form.before { c[C_RATIO][e] } else { lanes.splat(L::Real::ONE) };
                    x = lanes.sub(x, lanes.mul(through_residual, ratio));
                }
                if form.of_fast && form.before {
                    x = lanes.mul_add(c[C_NORM_FAST][e], fast, x);
                }
            }
            // The sums of the step before.
            let presynaptic = lanes.splat(y_before[j][e]);
            let inside = lanes.less(lanes.abs(before), bounds[1]);
            if form.after {
                sums[0][e] = lanes.mul_add(x, before, sums[0][e]);
                let mut rate = lanes.mul(gamma, presynaptic);
                if form.clamped {
                    rate = lanes.select(inside, rate, zero);
                }
                sums[1][e] = lanes.mul_add(rate, x, sums[1][e]);
                let normed = if form.of_fast { before } else { lanes.add(weight, before) };
                sums[2][e] = lanes.mul_add(rate, normed, sums[2][e]);
            } else {
                if form.clamped {
                    x = lanes.select(inside, x, zero);
                }
                sums[0][e] = lanes.mul_add(lanes.mul(gamma, x), presynaptic, sums[0][e]);
                if form.before {
                    sums[1][e] = lanes.mul_add(x, before, sums[1][e]);
                }
            }
            gradient[j][e] = x;
        }
        gradients[j] = [grad_weight, grad_lambda, grad_gamma];
    }
    sums
}
