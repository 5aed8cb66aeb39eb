//! The pass over the fast weights in the backward direction: the gradients of one step fused with the sums that the
//! step before it needs.
//!
//! X is the gradient with respect to the state F = s·Φ. The pass of step t turns X_t into X_{t−1} in place, adds to
//! the gradients of W, λ and γ, makes the columns' sums (the gradient of z), and, with X_{t−1} still in the register,
//! the row sums of step t−1. `docs/backward.md` derives it.

use super::coefficients::{Coefficients, RowSums};
use super::gradients::Gradients;
use super::recompute::Steps;
use super::update::UpdateForm;
use super::weights::{ENTRY, Weights};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;
use crate::options::NormalizeState;

/// Columns in a chunk: what its runs need stays in the first- and second-level caches from block to block.
pub const CHUNK: usize = 64;

/// What a pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjointForm {
    /// The step itself; without it only the sums of X and Φ as they are.
    pub step: bool,
    /// Where the state is normalised.
    pub state: NormalizeState,
    /// ‖G‖ takes part.
    pub norm: bool,
    /// Φ is limited to ±bound.
    pub clamped: bool,
    /// The gradient of z is wanted.
    pub columns: bool,
    /// A norm is so large that the square of its inverse underflows: weights are scaled before they are multiplied.
    pub careful: bool,
}

impl AdjointForm {
    /// The form of a layer's steps.
    pub fn new<L: Lanes>(weights: &Weights<L>, columns: bool) -> Self {
        let spec = &weights.spec;
        Self {
            step: true,
            state: spec.config.normalize_state,
            norm: spec.config.normalize_forward || spec.before() || spec.after(),
            clamped: spec.config.clamp.is_some(),
            columns,
            careful: false,
        }
    }
}

/// The operands of a pass over a cohort of G groups of E batch elements.
pub struct Operands<'a, T, V, const E: usize> {
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
    /// That of the step before.
    pub z_before: &'a [T],
    /// `[G, blocks]`
    pub coefficients: &'a [Coefficients<V, E>],
    /// `[G, blocks]`, overwritten.
    pub sums: &'a mut [RowSums<V, E>],
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
    operands: Operands<'_, L::Real, L::Vector, E>,
) {
    macro_rules! forms {
        ($($state:ident $norm:literal $clamped:literal $columns:literal;)*) => {
            weights.lanes.vectorize(
                #[inline(always)]
                || match form {
                    $(AdjointForm {
                        step: true,
                        state: NormalizeState::$state,
                        norm: $norm,
                        clamped: $clamped,
                        columns: $columns,
                        careful: false,
                    } => {
                        let form = AdjointForm {
                            step: true,
                            state: NormalizeState::$state,
                            norm: $norm,
                            clamped: $clamped,
                            columns: $columns,
                            careful: false,
                        };
                        chunks::<L, E>(weights, form, gradients, operands);
                    })*
                    _ => chunks::<L, E>(weights, form, gradients, operands),
                },
            )
        };
    }
    forms! {
        None false false false;
        None false false true;
        None false true false;
        None false true true;
        None true false false;
        None true false true;
        Before true false true;
        After true false true;
        After true true true;
    }
}

/// Chunks of columns, for each all groups, for each all blocks: the chunk of the table and of its gradients stays in
/// the second-level cache from group to group, the columns' sums in the first from block to block.
#[inline(always)]
fn chunks<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    form: AdjointForm,
    gradients: &mut Gradients<L>,
    operands: Operands<'_, L::Real, L::Vector, E>,
) {
    let lanes = weights.lanes;
    let (blocks, width) = (weights.blocks, weights.width);
    let Operands { gradient, phi_after, phi, z, z_before, coefficients, sums: totals, columns, grad_z, .. } = operands;
    let Operands { bounded, again, replay: (replay, replays), .. } = operands;
    let groups = z.len() / (width * E);
    let limit = if bounded { weights.spec.config.clamp.unwrap_or(f64::INFINITY) } else { f64::INFINITY };
    let bounds = [weights.spec.config.clamp.unwrap_or(f64::INFINITY), limit];
    let bounds = bounds.map(|bound| lanes.splat(L::Real::of(bound)));
    let zero = lanes.splat(L::Real::ZERO);
    let gradient = L::vectors_mut(gradient).as_chunks_mut::<E>().0;
    let phi_after = L::vectors(phi_after).as_chunks::<E>().0;
    let phi = L::vectors(phi).as_chunks::<E>().0;
    let columns = L::vectors_mut(columns).as_chunks_mut::<E>().0;
    let [z, z_before] = [z, z_before].map(|values| values.as_chunks::<E>().0);
    let grad_z = grad_z.as_chunks_mut::<E>().0;
    let again = L::vectors_mut(again).as_chunks_mut::<E>().0;
    for start in (0..width).step_by(CHUNK) {
        let end = width.min(start + CHUNK);
        for group in 0..groups {
            let here = group * width + start..group * width + end;
            if form.columns {
                columns[..end - start].iter_mut().for_each(|column| *column = [zero; E]);
            }
            for block in 0..blocks {
                let row = group * blocks + block;
                let run = row * width + start..row * width + end;
                let mut phi = &phi[run.clone()];
                // The normalisation after the update never replays: it needs Φ on either side.
                if form.state != NormalizeState::After && replays > 0 {
                    let again = &mut again[..end - start];
                    let scaled = form.state == NormalizeState::Before;
                    let update = UpdateForm { update: true, scaled, clamped: form.clamped, sums: None };
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
                    if form.state == NormalizeState::After { &phi_after[run] } else { phi },
                    phi,
                    &z[here.clone()],
                    &z_before[here.clone()],
                    &coefficients[row],
                    columns,
                );
                match start {
                    0 => totals[row] = sums,
                    _ => totals[row].add(lanes, &sums),
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
    z_before: &[[L::Real; E]],
    c: &Coefficients<L::Vector, E>,
    columns: &mut [[L::Vector; E]],
) -> RowSums<L::Vector, E> {
    let n = table.len();
    let (gradients, gradient, columns) = (&mut gradients[..n], &mut gradient[..n], &mut columns[..n]);
    let (phi_after, phi) = (&phi_after[..n], &phi[..n]);
    let (z, z_before) = (&z[..n], &z_before[..n]);
    let zero = lanes.splat(L::Real::ZERO);
    let (after_update, before_update) = (form.state == NormalizeState::After, form.state == NormalizeState::Before);
    let mut sums = RowSums::splat(zero);
    for j in 0..n {
        let [weight, lambda, gamma] = table[j];
        let [mut grad_weight, mut grad_lambda, mut grad_gamma] = gradients[j];
        for e in 0..E {
            let mut x = gradient[j][e];
            let before = phi[j][e];
            if form.step {
                // The gradient of Φ after the step.
                let mut m = x;
                if after_update {
                    let after = phi_after[j][e];
                    let mut normed = lanes.add(weight, after);
                    if form.careful {
                        normed = lanes.mul(normed, c.unit_after[e]);
                    }
                    let through_norm = lanes.mul(c.norm_after[e], normed);
                    grad_weight = lanes.add(grad_weight, through_norm);
                    m = lanes.mul_add(c.scale_after[e], x, through_norm);
                    if form.clamped {
                        m = lanes.select(lanes.less(lanes.abs(after), bounds[0]), m, zero);
                    }
                }
                // The update: λ·F̂ + γ·h·z.
                let presynaptic = lanes.splat(z[j][e]);
                let fast = if after_update { lanes.mul(c.scale[e], before) } else { before };
                let m_ratio = if before_update { lanes.mul(m, c.ratio[e]) } else { m };
                grad_lambda = lanes.mul_add(m_ratio, fast, grad_lambda);
                let m_h = lanes.mul(m, c.hidden[e]);
                grad_gamma = lanes.mul_add(m_h, presynaptic, grad_gamma);
                // The product and the norm.
                let effective = lanes.add(weight, fast);
                let mut grad_effective = lanes.mul(c.product[e], presynaptic);
                if form.norm {
                    let normed = if form.careful { lanes.mul(effective, c.unit[e]) } else { effective };
                    grad_effective = lanes.mul_add(c.norm[e], normed, grad_effective);
                }
                grad_weight = lanes.add(grad_weight, grad_effective);
                if form.columns {
                    let column = lanes.mul_add(c.product[e], effective, columns[j][e]);
                    columns[j][e] = lanes.mul_add(gamma, m_h, column);
                }
                x = lanes.mul_add(lambda, m_ratio, grad_effective);
            }
            // The sums of the step before.
            let presynaptic = lanes.splat(z_before[j][e]);
            let inside = lanes.less(lanes.abs(before), bounds[1]);
            if after_update {
                sums.along[e] = lanes.mul_add(x, before, sums.along[e]);
                let mut rate = lanes.mul(gamma, presynaptic);
                if form.clamped {
                    rate = lanes.select(inside, rate, zero);
                }
                sums.rate[e] = lanes.mul_add(rate, x, sums.rate[e]);
                sums.rate_weights[e] = lanes.mul_add(rate, lanes.add(weight, before), sums.rate_weights[e]);
            } else {
                if form.clamped {
                    x = lanes.select(inside, x, zero);
                }
                sums.rate[e] = lanes.mul_add(lanes.mul(gamma, x), presynaptic, sums.rate[e]);
                if before_update {
                    sums.along[e] = lanes.mul_add(x, before, sums.along[e]);
                }
            }
            gradient[j][e] = x;
        }
        gradients[j] = [grad_weight, grad_lambda, grad_gamma];
    }
    sums
}
