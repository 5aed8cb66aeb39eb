//! The scalars of packed states `[B, S]` on their way into and out of a cohort's layout.

use std::ops::Range;

use super::presynaptic::Span;
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// Reads F of the cohort's elements into `[G, blocks, D, E]` of vectors; zeros for those that are marked.
pub fn unpack_fast<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    span: Span,
    (packed, marked): (&[L::Real], Option<&[u8]>),
    fast: &mut [L::Real],
) {
    fast.fill(L::Real::ZERO);
    for index in 0..span.groups * E {
        if marked.is_some_and(|marked| marked[span.first + index] != 0) {
            continue;
        }
        let values = &packed[fast_of(weights, span.first + index)];
        // Episodes start with zeros, which are there already.
        if values.iter().fold(0, |bits, value| bits | value.wide().to_bits()) == 0 {
            continue;
        }
        each_column::<L, E>(weights, index, |block, column, start| {
            let rows = values[block].chunks_exact(weights.spec.plastic().len());
            rows.zip(&mut fast[start..start + L::WIDTH]).for_each(|(row, to)| *to = row[column]);
        });
    }
}

/// Writes F of the cohort's elements into packed states.
pub fn pack_fast<L: Lanes, const E: usize>(weights: &Weights<L>, span: Span, fast: &[L::Real], packed: &mut [L::Real]) {
    for index in 0..span.groups * E {
        let values = &mut packed[fast_of(weights, span.first + index)];
        each_column::<L, E>(weights, index, |block, column, start| {
            let rows = values[block].chunks_exact_mut(weights.spec.plastic().len());
            rows.zip(&fast[start..start + L::WIDTH]).for_each(|(row, from)| row[column] = *from);
        });
    }
}

/// Where F of an element lies in packed states.
fn fast_of<L: Lanes>(weights: &Weights<L>, element: usize) -> Range<usize> {
    let spec = &weights.spec;
    let start = element * spec.state.len + spec.state.fast;
    start..start + spec.hidden * spec.plastic().len()
}

/// Calls `visit` for each vector of the element of that number: with the range of its block of neurons in a packed F,
/// its plastic column, and its first scalar in the cohort's F.
#[inline(always)]
fn each_column<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    index: usize,
    mut visit: impl FnMut(Range<usize>, usize, usize),
) {
    let (blocks, width, plastic) = (weights.blocks, weights.width, weights.spec.plastic());
    let (group, e) = (index / E, index % E);
    for block in 0..blocks {
        let neurons = block * L::WIDTH..weights.spec.hidden.min((block + 1) * L::WIDTH);
        for column in 0..plastic.len() {
            let row = (group * blocks + block) * width + plastic.start + column;
            visit(neurons.start * plastic.len()..neurons.end * plastic.len(), column, (row * E + e) * L::WIDTH);
        }
    }
}

/// Reads values of all units, `[B, len]` from `start` on, into the cohort's vectors, of which each block of neurons
/// has E in a row, `stride` scalars after those of the block before. Lanes without a unit become zero.
#[inline(always)]
pub fn unpack_units<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    span: Span,
    (values, start, len): (&[L::Real], usize, usize),
    rows: &mut [L::Real],
    stride: usize,
) {
    for index in 0..span.groups * E {
        let units = &values[(span.first + index) * len + start..][..weights.spec.hidden];
        let rows = &mut rows[index / E * weights.blocks * stride + index % E * L::WIDTH..];
        for (units, rows) in units.chunks(L::WIDTH).zip(rows.chunks_mut(stride)) {
            let row = &mut rows[..L::WIDTH];
            // Whole vectors go as such: a call of memcpy for each would cost more than the copy.
            match units.len() == L::WIDTH {
                true => L::vectors_mut(row)[0] = L::vectors(units)[0],
                false => {
                    row.iter_mut().zip(units).for_each(|(to, from)| *to = *from);
                    row[units.len()..].iter_mut().for_each(|to| *to = L::Real::ZERO);
                }
            }
        }
    }
}

/// Writes values of all units back: the reverse of [`unpack_units`].
#[inline(always)]
pub fn pack_units<L: Lanes, const E: usize>(
    weights: &Weights<L>,
    span: Span,
    rows: &[L::Real],
    stride: usize,
    (values, start, len): (&mut [L::Real], usize, usize),
) {
    for index in 0..span.groups * E {
        let units = &mut values[(span.first + index) * len + start..][..weights.spec.hidden];
        let rows = &rows[index / E * weights.blocks * stride + index % E * L::WIDTH..];
        for (units, rows) in units.chunks_mut(L::WIDTH).zip(rows.chunks(stride)) {
            let row = &rows[..L::WIDTH];
            match units.len() == L::WIDTH {
                true => L::vectors_mut(units)[0] = L::vectors(row)[0],
                false => units.iter_mut().zip(row).for_each(|(to, from)| *to = *from),
            }
        }
    }
}
