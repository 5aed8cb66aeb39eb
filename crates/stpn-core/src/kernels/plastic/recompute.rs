//! Bringing Φ back for the backward pass: the updates of several steps again, with what the forward pass recorded.
//!
//! All that the updates need is known, so that the steps may be the inner loop: a chunk of columns goes through all of
//! them while it, and its part of the table, are in the first-level cache.

use std::mem::swap;
use std::ops::Range;

use super::presynaptic::Span;
use super::update::{UpdateForm, run_of_columns};
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Columns in a chunk: two states of a group and the table in 24 KiB in f32 with AVX-512.
pub const CHUNK: usize = 32;

/// What n successive updates of a cohort of G groups of E batch elements read beside Φ.
#[derive(Clone, Copy)]
pub struct Steps<'a, T> {
    /// The cohort.
    pub span: Span,
    /// Presynaptic vectors `[n, G, D, E]`.
    pub z: &'a [T],
    /// Activities `[n, G, blocks, E]` vectors.
    pub hidden: &'a [T],
    /// The steps' records `[n, G, blocks, len, E]` vectors.
    pub records: &'a [T],
    /// Vectors of a record, and which of them is the scale of Φ in the update, if there is one.
    pub scale: (usize, Option<usize>),
    /// Batch elements B, and which of them start an episode after each update, `[≤ n, B]`.
    pub resets: Option<(usize, &'a [u8])>,
}

impl<T: Real> Steps<'_, T> {
    /// Takes a run of columns of one row of the cohort through one update: from `before`, or in place.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "where the run lies and what happens to it")]
    pub fn update<L: Lanes<Real = T>, const E: usize>(
        &self,
        weights: &Weights<L>,
        form: UpdateForm,
        bound: L::Vector,
        step: usize,
        row: usize,
        columns: Range<usize>,
        before: Option<&[[L::Vector; E]]>,
        after: &mut [[L::Vector; E]],
    ) {
        let (lanes, blocks, width) = (weights.lanes, weights.blocks, weights.width);
        let (group, block) = (row / blocks, row % blocks);
        let (len, place) = self.scale;
        let first = (step * self.span.groups + group) * width;
        let z = &self.z.as_chunks::<E>().0[first + columns.start..first + columns.end];
        let at = step * self.span.groups * blocks + row;
        let hidden = &L::vectors(self.hidden).as_chunks::<E>().0[at];
        let scale = match place {
            Some(place) => L::vectors(self.records).as_chunks::<E>().0[at * len + place],
            None => [lanes.splat(T::ONE); E],
        };
        run_of_columns(lanes, form, bound, &weights.entries(block)[columns], before, after, z, z, &scale, hidden);
        let resets = self.resets.and_then(|(batch, resets)| resets.get(step * batch..(step + 1) * batch));
        for (_, e) in resets.into_iter().flat_map(|resets| self.span.group::<E>(group).marked::<E>(resets)) {
            after.iter_mut().for_each(|vectors| vectors[e] = lanes.splat(T::ZERO));
        }
    }
}

/// Runs as many updates as there are, from Φ before the first, and keeps Φ after every `stride`-th of them in `slots`
/// `[n / stride, G, blocks, D, E]`. `between` is scratch, `[2, CHUNK, E]` vectors.
pub fn run<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    steps: Steps<'_, L::Real>,
    start: &[L::Real],
    stride: usize,
    slots: &mut [L::Real],
    between: &mut [L::Real],
) {
    let form = UpdateForm::fused(weights).silent();
    macro_rules! forms {
        ($($scaled:literal $clamped:literal;)*) => {
            weights.lanes.vectorize(
                #[inline(always)]
                || match form {
                    $(UpdateForm { scaled: $scaled, clamped: $clamped, .. } => {
                        let form = UpdateForm { update: true, scaled: $scaled, clamped: $clamped, sums: None };
                        chunks::<L, E>(weights, form, steps, start, stride, slots, between);
                    })*
                },
            )
        };
    }
    forms! {
        false false;
        false true;
        true false;
        true true;
    }
}

#[inline(always)]
fn chunks<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    form: UpdateForm,
    steps: Steps<'_, L::Real>,
    start: &[L::Real],
    stride: usize,
    slots: &mut [L::Real],
    between: &mut [L::Real],
) {
    let (lanes, width) = (weights.lanes, weights.width);
    let bound = lanes.splat(L::Real::of(weights.spec.config.clamp.unwrap_or(f64::INFINITY)));
    let phi_len = start.len() / (E * L::WIDTH);
    let start = L::vectors(start).as_chunks::<E>().0;
    let slots = L::vectors_mut(slots).as_chunks_mut::<E>().0;
    let between = L::vectors_mut(between).as_chunks_mut::<E>().0;
    for first in (0..width).step_by(CHUNK) {
        let columns = first..width.min(first + CHUNK);
        for row in 0..phi_len / width {
            let run = row * width + columns.start..row * width + columns.end;
            let update = |step: usize, before: &[[L::Vector; E]], after: &mut [[L::Vector; E]]| {
                steps.update(weights, form, bound, step, row, columns.clone(), Some(before), after);
            };
            for slot in 0..slots.len() / phi_len {
                let (before, after) = slots.split_at_mut(slot * phi_len);
                let before = if slot == 0 { &start[run.clone()] } else { &before[(slot - 1) * phi_len..][run.clone()] };
                let after = &mut after[run.clone()];
                let first = slot * stride;
                if stride == 1 {
                    update(first, before, after);
                    continue;
                }
                let (now, next) = between.split_at_mut(between.len() / 2);
                let (mut now, mut next) = (&mut now[..columns.len()], &mut next[..columns.len()]);
                update(first, before, now);
                for step in first + 1..first + stride - 1 {
                    update(step, now, next);
                    swap(&mut now, &mut next);
                }
                update(first + stride - 1, now, after);
            }
        }
    }
}
