//! Passes over the matrices of a group of E elements.

use std::ops::Range;

use super::layer::{AssociativeLayer, DIRECT, KEEP, KEY, MATCH, QUERY, ROWS, VALUE, WRITE};
use crate::kernels::Real;
use crate::kernels::fast::{Group, groups, groups_mut, of_width};
use crate::kernels::lanes::{Lanes, each};
use crate::options::AssociativeRule;

/// What inputs made of one step, `[B, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a, T> {
    pub batch: usize,
    pub values: &'a [T],
}

/// The rows of what F gave, and what it learned.
pub const READ: usize = 0;
pub const RETRIEVED: usize = 1;
pub const WRITTEN: usize = 2;

/// Operands of a step backward, all of the block.
pub struct Backward<'a, T> {
    /// `[B, width]`
    pub made: Made<'a, T>,
    /// `[B, 3·row]`
    pub given: &'a [T],
    /// F before the step.
    pub fast: &'a [T],
    /// Gradients of the pre-activations, `[B, row]`.
    pub grad: &'a [T],
    /// Those of F after the step, which become those of F before it.
    pub grad_fast: &'a mut [T],
    /// Those of unit vectors, values, direct parts and gates, `[B, width]`, overwritten.
    pub grad_made: &'a mut [T],
    /// Partial sums, twice `[H, E]` of vectors.
    pub columns: &'a mut [T],
}

impl<L: Lanes> AssociativeLayer<L> {
    /// Lets F give and learn, and writes pre-activations `[B, row]`.
    pub fn learn(
        &self,
        group: Group,
        made: Made<'_, L::Real>,
        fast: &mut [L::Real],
        given: &mut [L::Real],
        pre: &mut [L::Real],
    ) {
        let fast = &mut fast[self.layout.matrices(group)];
        of_width!(group, learn(self, group.first, made, fast, given, pre));
    }

    /// F after a step, from F before it and what it learned.
    pub fn follow(
        &self,
        group: Group,
        made: Made<'_, L::Real>,
        given: &[L::Real],
        fast: &[L::Real],
        next: &mut [L::Real],
    ) {
        let matrices = self.layout.matrices(group);
        of_width!(group, follow(self, group.first, made, given, &fast[matrices.clone()], &mut next[matrices]));
    }

    /// Backward of [`Self::learn`].
    pub fn learn_back(&self, group: Group, operands: &mut Backward<'_, L::Real>) {
        let matrices = self.layout.matrices(group);
        of_width!(group, learn_back(self, group.first, matrices, operands));
    }

    /// 1 if what a key retrieves is written over, else 0.
    fn corrects(&self) -> L::Real {
        if self.spec.rule == AssociativeRule::Delta { L::Real::ONE } else { L::Real::ZERO }
    }

    /// A row of what inputs made of an element.
    #[inline(always)]
    fn row_of<'a>(&self, made: &'a [L::Real], element: usize, part: usize) -> &'a [L::Real] {
        &made[element * self.width + part * self.layout.row()..][..self.layout.row()]
    }

    /// A scalar of what inputs made of an element.
    #[inline(always)]
    fn scalar_of(&self, made: &[L::Real], element: usize, scalar: usize) -> L::Vector {
        self.lanes.splat(made[element * self.width + ROWS * self.layout.row() + scalar])
    }
}

/// Where a row of what F gave of an element lies.
#[inline(always)]
fn given_row(row: usize, element: usize, part: usize) -> Range<usize> {
    (element * 3 + part) * row..(element * 3 + part + 1) * row
}

fn learn<L: Lanes, const E: usize>(
    layer: &AssociativeLayer<L>,
    first: usize,
    made: Made<'_, L::Real>,
    fast: &mut [L::Real],
    given: &mut [L::Real],
    pre: &mut [L::Real],
) {
    let (lanes, row, size, made) = (layer.lanes, layer.layout.row(), layer.spec.hidden, made.values);
    lanes.vectorize(
        #[inline(always)]
        || {
            let zero = lanes.splat(L::Real::ZERO);
            let fast = groups_mut::<L, E>(fast);
            let query: [&[L::Real]; E] = each(|e| &layer.row_of(made, first + e, QUERY)[..size]);
            let key: [&[L::Real]; E] = each(|e| &layer.row_of(made, first + e, KEY)[..size]);
            let scalar = |scalar: usize| -> [L::Vector; E] { each(|e| layer.scalar_of(made, first + e, scalar)) };
            let (write, keep, matching) = (scalar(WRITE), scalar(KEEP), scalar(MATCH));
            let corrects = lanes.splat(L::Real::ZERO - layer.corrects());
            for block in 0..layer.layout.blocks {
                let fast = &mut fast[block * size..][..size];
                let (mut read, mut retrieved) = ([zero; E], [zero; E]);
                for j in 0..size {
                    for e in 0..E {
                        read[e] = lanes.mul_add(fast[j][e], lanes.splat(query[e][j]), read[e]);
                        retrieved[e] = lanes.mul_add(fast[j][e], lanes.splat(key[e][j]), retrieved[e]);
                    }
                }
                let mut written = [zero; E];
                for e in 0..E {
                    let value = L::vectors(layer.row_of(made, first + e, VALUE))[block];
                    let direct = L::vectors(layer.row_of(made, first + e, DIRECT))[block];
                    let error = lanes.mul_add(lanes.mul(corrects, keep[e]), retrieved[e], value);
                    written[e] = lanes.mul(write[e], error);
                    let seen = lanes.mul_add(keep[e], read[e], lanes.mul(written[e], matching[e]));
                    L::vectors_mut(&mut pre[(first + e) * row..][..row])[block] = lanes.add(seen, direct);
                    for (part, value) in [(READ, read[e]), (RETRIEVED, retrieved[e]), (WRITTEN, written[e])] {
                        L::vectors_mut(&mut given[given_row(row, first + e, part)])[block] = value;
                    }
                }
                for j in 0..size {
                    for e in 0..E {
                        let kept = lanes.mul(keep[e], fast[j][e]);
                        fast[j][e] = lanes.mul_add(written[e], lanes.splat(key[e][j]), kept);
                    }
                }
            }
        },
    );
}

fn follow<L: Lanes, const E: usize>(
    layer: &AssociativeLayer<L>,
    first: usize,
    made: Made<'_, L::Real>,
    given: &[L::Real],
    fast: &[L::Real],
    next: &mut [L::Real],
) {
    let (lanes, row, size, made) = (layer.lanes, layer.layout.row(), layer.spec.hidden, made.values);
    lanes.vectorize(
        #[inline(always)]
        || {
            let (fast, next) = (groups::<L, E>(fast), groups_mut::<L, E>(next));
            let key: [&[L::Real]; E] = each(|e| &layer.row_of(made, first + e, KEY)[..size]);
            let keep: [L::Vector; E] = each(|e| layer.scalar_of(made, first + e, KEEP));
            for block in 0..layer.layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, next) = (&fast[part.clone()], &mut next[part]);
                let written: [L::Vector; E] = each(|e| L::vectors(&given[given_row(row, first + e, WRITTEN)])[block]);
                for j in 0..size {
                    for e in 0..E {
                        let kept = lanes.mul(keep[e], fast[j][e]);
                        next[j][e] = lanes.mul_add(written[e], lanes.splat(key[e][j]), kept);
                    }
                }
            }
        },
    );
}

/// With g the gradient of the pre-activations and G that of F' (all before the step where no other is said):
///
/// ```text
/// de = g (k̂·q̂) + G k̂        dF = α G + α g q̂ᵀ − δ α β de k̂ᵀ        dv = β de        ds = g
/// dk̂ = Gᵀ e + (g·e) q̂ − δ α β Fᵀ de        dq̂ = α Fᵀ g + (g·e) k̂
/// dβ = de·(v − δ α F k̂)        dα = g·(F q̂) + ⟨G, F⟩ − δ β de·(F k̂)
/// ```
fn learn_back<L: Lanes, const E: usize>(
    layer: &AssociativeLayer<L>,
    first: usize,
    matrices: Range<usize>,
    operands: &mut Backward<'_, L::Real>,
) {
    let (lanes, row, size) = (layer.lanes, layer.layout.row(), layer.spec.hidden);
    let Backward { made: Made { values: made, .. }, given, fast, grad, grad_fast, grad_made, columns } = operands;
    let (made, given) = (*made, *given);
    lanes.vectorize(
        #[inline(always)]
        || {
            let zero = lanes.splat(L::Real::ZERO);
            let fast = groups::<L, E>(&fast[matrices.clone()]);
            let grad_fast = groups_mut::<L, E>(&mut grad_fast[matrices]);
            let (query_columns, key_columns) = groups_mut::<L, E>(columns)[..2 * size].split_at_mut(size);
            query_columns.iter_mut().for_each(|column| *column = [zero; E]);
            key_columns.iter_mut().for_each(|column| *column = [zero; E]);
            let query: [&[L::Real]; E] = each(|e| &layer.row_of(made, first + e, QUERY)[..size]);
            let key: [&[L::Real]; E] = each(|e| &layer.row_of(made, first + e, KEY)[..size]);
            let scalar = |scalar: usize| -> [L::Vector; E] { each(|e| layer.scalar_of(made, first + e, scalar)) };
            let (write, keep, matching) = (scalar(WRITE), scalar(KEEP), scalar(MATCH));
            let corrects = lanes.splat(L::Real::ZERO - layer.corrects());
            // −δ α and −δ β, and sums over units.
            let through_keep: [L::Vector; E] = each(|e| lanes.mul(corrects, keep[e]));
            let through_write: [L::Vector; E] = each(|e| lanes.mul(corrects, write[e]));
            let (mut of_write, mut of_keep, mut of_match) = ([zero; E], [zero; E], [zero; E]);
            for block in 0..layer.layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, grad_fast) = (&fast[part.clone()], &mut grad_fast[part]);
                let given = |part: usize| -> [L::Vector; E] {
                    each(|e| L::vectors(&given[given_row(row, first + e, part)])[block])
                };
                let (read, retrieved, written) = (given(READ), given(RETRIEVED), given(WRITTEN));
                let grad: [L::Vector; E] = each(|e| L::vectors(&grad[(first + e) * row..][..row])[block]);
                let mut error: [L::Vector; E] = each(|e| lanes.mul(grad[e], matching[e]));
                for j in 0..size {
                    for e in 0..E {
                        error[e] = lanes.mul_add(grad_fast[j][e], lanes.splat(key[e][j]), error[e]);
                        of_keep[e] = lanes.mul_add(grad_fast[j][e], fast[j][e], of_keep[e]);
                    }
                }
                let (mut through_read, mut through_retrieved) = ([zero; E], [zero; E]);
                for e in 0..E {
                    let value = L::vectors(layer.row_of(made, first + e, VALUE))[block];
                    let target = lanes.mul_add(through_keep[e], retrieved[e], value);
                    of_write[e] = lanes.mul_add(error[e], target, of_write[e]);
                    of_keep[e] = lanes.mul_add(grad[e], read[e], of_keep[e]);
                    of_keep[e] = lanes.mul_add(lanes.mul(through_write[e], error[e]), retrieved[e], of_keep[e]);
                    of_match[e] = lanes.mul_add(grad[e], written[e], of_match[e]);
                    through_read[e] = lanes.mul(keep[e], grad[e]);
                    through_retrieved[e] = lanes.mul(lanes.mul(through_keep[e], write[e]), error[e]);
                    let grads = &mut grad_made[(first + e) * layer.width..][..ROWS * row];
                    L::vectors_mut(&mut grads[VALUE * row..])[block] = lanes.mul(write[e], error[e]);
                    L::vectors_mut(&mut grads[DIRECT * row..])[block] = grad[e];
                }
                for j in 0..size {
                    for e in 0..E {
                        let (f, g) = (fast[j][e], grad_fast[j][e]);
                        query_columns[j][e] = lanes.mul_add(f, through_read[e], query_columns[j][e]);
                        let learned = lanes.mul_add(g, written[e], key_columns[j][e]);
                        key_columns[j][e] = lanes.mul_add(f, through_retrieved[e], learned);
                        let passed = lanes.mul_add(through_read[e], lanes.splat(query[e][j]), lanes.mul(keep[e], g));
                        grad_fast[j][e] = lanes.mul_add(through_retrieved[e], lanes.splat(key[e][j]), passed);
                    }
                }
            }
            for e in 0..E {
                let (rows, scalars) = grad_made[(first + e) * layer.width..][..layer.width].split_at_mut(ROWS * row);
                let matching = lanes.sum(of_match[e]);
                for j in 0..size {
                    rows[QUERY * row + j] = lanes.sum(query_columns[j][e]) + matching * key[e][j];
                    rows[KEY * row + j] = lanes.sum(key_columns[j][e]) + matching * query[e][j];
                }
                for part in [QUERY, KEY] {
                    rows[part * row + size..(part + 1) * row].fill(L::Real::ZERO);
                }
                scalars.fill(L::Real::ZERO);
                scalars[WRITE] = lanes.sum(of_write[e]);
                scalars[KEEP] = lanes.sum(of_keep[e]);
            }
        },
    );
}
