//! The pass over the fast weights that brings them back for the backward pass: the updates of several steps, from a
//! checkpoint, with what the forward pass recorded.
//!
//! All that the updates need is known, so that the steps may be the inner loop: a chunk of columns goes through all of
//! them while it, and its part of the table, are in the first-level cache.

use super::presynaptic::Span;
use super::update::{UpdateForm, run_of_columns};
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Columns in a chunk: two states of a group and the table in 24 KiB in f32 with AVX-512.
const CHUNK: usize = 32;

/// The operands of n updates of a cohort of G groups of E batch elements, one after the other.
pub struct Updates<'a, T> {
    /// Φ before the first, `[G, blocks, D, E]` vectors.
    pub start: &'a [T],
    /// Φ after each, `[n, G, blocks, D, E]` vectors, overwritten.
    pub slots: &'a mut [T],
    /// What each takes for the presynaptic vector, `[n, G, D, E]`.
    pub y: &'a [T],
    /// Activities `[n, G, blocks, E]` vectors.
    pub hidden: &'a [T],
    /// The steps' records `[n, G, blocks, len, E]` vectors.
    pub records: &'a [T],
    /// Vectors of a record, and which of them is the scale of Φ in the update, if there is one.
    pub scale: (usize, Option<usize>),
    /// Batch elements B, and which of them start an episode after each update, `[≤ n, B]`.
    pub resets: Option<(usize, &'a [u8])>,
}

/// Runs the updates.
pub fn run<L: Lanes, const E: usize>(weights: &Weights<L>, span: Span, updates: Updates<'_, L::Real>) {
    let form = UpdateForm::fused(weights).silent();
    macro_rules! forms {
        ($($scaled:literal $clamped:literal;)*) => {
            weights.lanes.vectorize(
                #[inline(always)]
                || match form {
                    $(UpdateForm { scaled: $scaled, clamped: $clamped, .. } => {
                        let form = UpdateForm { update: true, scaled: $scaled, clamped: $clamped, sums: None };
                        chunks::<L, E>(weights, span, form, updates);
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
    span: Span,
    form: UpdateForm,
    updates: Updates<'_, L::Real>,
) {
    let (lanes, blocks, width) = (weights.lanes, weights.blocks, weights.width);
    let Updates { start, slots, y, hidden, records, scale: (len, place), resets } = updates;
    let bound = lanes.splat(L::Real::of(weights.spec.config.clamp.unwrap_or(f64::INFINITY)));
    let (one, zero) = (lanes.splat(L::Real::ONE), lanes.splat(L::Real::ZERO));
    let start = L::vectors(start).as_chunks::<E>().0;
    let slots = L::vectors_mut(slots).as_chunks_mut::<E>().0;
    let [hidden, records] = [hidden, records].map(|values| L::vectors(values).as_chunks::<E>().0);
    let y = y.as_chunks::<E>().0;
    let (rows, phi_len) = (span.groups * blocks, span.groups * blocks * width);
    for first in (0..width).step_by(CHUNK) {
        let columns = first..width.min(first + CHUNK);
        for row in 0..rows {
            let (group, block) = (row / blocks, row % blocks);
            let table = &weights.entries(block)[columns.clone()];
            let run = row * width + columns.start..row * width + columns.end;
            for step in 0..slots.len() / phi_len {
                let (before, after) = slots.split_at_mut(step * phi_len);
                let before = if step == 0 { &start[run.clone()] } else { &before[(step - 1) * phi_len..][run.clone()] };
                let after = &mut after[run.clone()];
                let z = (step * span.groups + group) * width;
                let y = &y[z + columns.start..z + columns.end];
                let row = step * rows + row;
                let ratio = place.map_or([one; E], |place| records[row * len + place]);
                run_of_columns(lanes, form, bound, table, Some(before), after, y, y, &ratio, &hidden[row]);
                let resets = resets.and_then(|(batch, resets)| resets.get(step * batch..(step + 1) * batch));
                for (_, e) in resets.into_iter().flat_map(|resets| span.group::<E>(group).marked::<E>(resets)) {
                    after.iter_mut().for_each(|vectors| vectors[e] = zero);
                }
            }
        }
    }
}
