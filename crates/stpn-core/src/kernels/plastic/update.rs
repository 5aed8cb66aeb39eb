//! The pass over the fast weights in the forward direction: the update of one step fused with the sums of the next.
//!
//! Φ is what the memory holds; the state is F = s·Φ with a scale s per row, which is known only after the pass that
//! wrote Φ (normalisation after the update), or always 1. One pass reads Φ once and writes it once.

use super::form::{
    CHUNK, ROW_H, ROW_R, ROW_SUM, ROWS, SUM_DOT, SUM_PHI_DOT, SUM_PHI_SQUARE, SUM_SQUARE, SUM_W_PHI, SUMS,
};
use super::spec::Sums;
use super::weights::{ENTRY, Weights};
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// What a pass does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateForm {
    /// Φ ← λ·(r·Φ) + γ·h·y before the sums; without it the sums are those of Φ as it is.
    pub update: bool,
    /// r differs from 1.
    pub scaled: bool,
    /// Φ is limited to ±bound.
    pub clamped: bool,
    /// Which sums, if any.
    pub sums: Option<Sums>,
}

impl UpdateForm {
    /// The update of a step with the sums of the next.
    pub fn fused<L: Lanes>(weights: &Weights<L>) -> Self {
        let spec = &weights.spec;
        let sums = spec.sums();
        let scaled = spec.before() || sums == Sums::Apart;
        Self { update: true, scaled, clamped: spec.config.clamp.is_some(), sums: Some(sums) }
    }

    /// The sums alone.
    pub fn measure(self) -> Self {
        Self { update: false, scaled: false, clamped: false, ..self }
    }

    /// The update alone.
    pub fn silent(self) -> Self {
        Self { sums: None, ..self }
    }
}

/// The operands of a pass over a cohort of G groups of E batch elements, `L::WIDTH` lanes in a vector.
pub struct Operands<'a, T> {
    /// Fast weights `[G, blocks, D, E]` vectors: read, and written by an update.
    pub phi: &'a mut [T],
    /// Presynaptic vector of the update, `[G, D, E]`.
    pub y: &'a [T],
    /// Presynaptic vector of the sums, `[G, D, E]`.
    pub z: &'a [T],
    /// Rows `[G, blocks, ROWS, E]` vectors: h and r are read, the sums written.
    pub rows: &'a mut [T],
}

/// Runs a pass in the loop made for its form.
pub fn pass<L: Lanes, const E: usize>(weights: &Weights<L>, form: UpdateForm, operands: Operands<'_, L::Real>) {
    macro_rules! forms {
        ($($update:literal $scaled:literal $clamped:literal $sums:expr;)*) => {
            weights.lanes.vectorize(
                #[inline(always)]
                || match form {
                    $(UpdateForm { update: $update, scaled: $scaled, clamped: $clamped, sums } if sums == $sums => {
                        let form = UpdateForm { update: $update, scaled: $scaled, clamped: $clamped, sums: $sums };
                        chunks::<L, E>(weights, form, operands);
                    })*
                    _ => chunks::<L, E>(weights, form, operands),
                },
            )
        };
    }
    forms! {
        true false false Some(Sums::Dot);
        true false true Some(Sums::Dot);
        true true false Some(Sums::Norm);
        true false false Some(Sums::Norm);
        true true false Some(Sums::Apart);
        true true true Some(Sums::Apart);
    }
}

/// Chunks of columns, for each all groups: the table's part stays in the cache from group to group. Sums are made
/// chunk by chunk, which also keeps long rows precise.
#[inline(always)]
fn chunks<L: Lanes, const E: usize>(weights: &Weights<L>, form: UpdateForm, operands: Operands<'_, L::Real>) {
    let lanes = weights.lanes;
    let Operands { phi, y, z, rows } = operands;
    let (blocks, width) = (weights.blocks, weights.width);
    let groups = y.len() / (width * E);
    let bound = lanes.splat(L::Real::of(weights.spec.config.clamp.unwrap_or(f64::INFINITY)));
    let phi = L::vectors_mut(phi).as_chunks_mut::<E>().0;
    let (y, z) = (y.as_chunks::<E>().0, z.as_chunks::<E>().0);
    let rows = L::vectors_mut(rows).as_chunks_mut::<E>().0.as_chunks_mut::<ROWS>().0;
    for start in (0..width).step_by(CHUNK) {
        let end = width.min(start + CHUNK);
        for block in 0..blocks {
            let table = &weights.entries(block)[start..end];
            for group in 0..groups {
                let run = (group * blocks + block) * width;
                let (r, h) = (rows[group * blocks + block][ROW_R], rows[group * blocks + block][ROW_H]);
                let sums = run_of_columns(
                    lanes,
                    form,
                    bound,
                    table,
                    None,
                    &mut phi[run + start..run + end],
                    &y[group * width + start..group * width + end],
                    &z[group * width + start..group * width + end],
                    &r,
                    &h,
                );
                if form.sums.is_some() {
                    let totals = &mut rows[group * blocks + block];
                    for (which, sum) in sums.into_iter().enumerate() {
                        for (e, sum) in sum.into_iter().enumerate() {
                            let total = &mut totals[ROW_SUM + which][e];
                            *total = if start == 0 { sum } else { lanes.add(*total, sum) };
                        }
                    }
                }
            }
        }
    }
}

/// The inner loop: a run of columns of one block of neurons, E batch elements at a time. Reads Φ from elsewhere where
/// `from` says so.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of one inner loop")]
pub fn run_of_columns<L: Lanes, const E: usize>(
    lanes: L,
    form: UpdateForm,
    bound: L::Vector,
    table: &[[L::Vector; ENTRY]],
    from: Option<&[[L::Vector; E]]>,
    phi: &mut [[L::Vector; E]],
    y: &[[L::Real; E]],
    z: &[[L::Real; E]],
    r: &[L::Vector; E],
    h: &[L::Vector; E],
) -> [[L::Vector; E]; SUMS] {
    let columns = table.len();
    let (y, z, phi) = (&y[..columns], &z[..columns], &mut phi[..columns]);
    let from = from.map(|from| &from[..columns]);
    let mut sums = [[lanes.splat(L::Real::ZERO); E]; SUMS];
    for column in 0..columns {
        let [weight, lambda, gamma] = table[column];
        for e in 0..E {
            let mut now = match from {
                Some(from) => from[column][e],
                None => phi[column][e],
            };
            if form.update {
                let old = if form.scaled { lanes.mul(r[e], now) } else { now };
                let change = lanes.mul(gamma, lanes.mul(h[e], lanes.splat(y[column][e])));
                now = lanes.mul_add(lambda, old, change);
                if form.clamped {
                    now = lanes.clamp(now, bound);
                }
                phi[column][e] = now;
            }
            let Some(kind) = form.sums else { continue };
            let presynaptic = lanes.splat(z[column][e]);
            if kind == Sums::Apart {
                sums[SUM_DOT][e] = lanes.mul_add(weight, presynaptic, sums[SUM_DOT][e]);
                sums[SUM_PHI_DOT][e] = lanes.mul_add(now, presynaptic, sums[SUM_PHI_DOT][e]);
                sums[SUM_W_PHI][e] = lanes.mul_add(weight, now, sums[SUM_W_PHI][e]);
                sums[SUM_PHI_SQUARE][e] = lanes.mul_add(now, now, sums[SUM_PHI_SQUARE][e]);
            } else {
                let effective = lanes.add(weight, now);
                sums[SUM_DOT][e] = lanes.mul_add(effective, presynaptic, sums[SUM_DOT][e]);
                if kind == Sums::Norm {
                    sums[SUM_SQUARE][e] = lanes.mul_add(effective, effective, sums[SUM_SQUARE][e]);
                }
            }
        }
    }
    sums
}
