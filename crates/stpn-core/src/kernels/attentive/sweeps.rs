//! Passes over the fast weights of a group of E elements.

use super::layer::AttentiveLayer;
use crate::kernels::Real;
use crate::kernels::fast::{Group, groups, groups_mut, of_width};
use crate::kernels::lanes::{Lanes, each};

/// Gradients that the passes of a step backward add to; rows are `[B, row]`.
pub struct InnerSums<'a, T> {
    /// Of F.
    pub fast: &'a mut [T],
    /// Of the activity that F acted on, overwritten.
    pub current: &'a mut [T],
    /// Of h before the step.
    pub before: &'a mut [T],
    /// Partial sums, twice `[H, E]` of vectors.
    pub columns: &'a mut [T],
}

impl<L: Lanes> AttentiveLayer<L> {
    /// Adds F·current to `sums`; first learns from the activity `learned`, where it is given.
    pub fn attend(
        &self,
        group: Group,
        learned: Option<&[L::Real]>,
        current: &[L::Real],
        fast: &mut [L::Real],
        sums: &mut [L::Real],
    ) {
        let fast = &mut fast[self.layout.matrices(group)];
        of_width!(group, attend(self, group.first, learned, current, fast, sums));
    }

    /// F after it learned from `learned`, from one place to another.
    pub fn follow(&self, group: Group, learned: &[L::Real], fast: &[L::Real], next: &mut [L::Real]) {
        let matrices = self.layout.matrices(group);
        of_width!(group, follow(self, group.first, learned, &fast[matrices.clone()], &mut next[matrices]));
    }

    /// Backward of [`Self::attend`] from the gradient of the sums.
    pub fn attend_back(
        &self,
        group: Group,
        learned: Option<&[L::Real]>,
        [current, grad]: [&[L::Real]; 2],
        fast: &[L::Real],
        sums: &mut InnerSums<'_, L::Real>,
    ) {
        let matrices = self.layout.matrices(group);
        of_width!(
            group,
            attend_back(self, group.first, learned, [current, grad], &fast[matrices.clone()], matrices, sums)
        );
    }
}

fn attend<L: Lanes, const E: usize>(
    layer: &AttentiveLayer<L>,
    first: usize,
    learned: Option<&[L::Real]>,
    current: &[L::Real],
    fast: &mut [L::Real],
    sums: &mut [L::Real],
) {
    let (lanes, row, size) = (layer.lanes, layer.layout.row(), layer.spec.hidden);
    lanes.vectorize(
        #[inline(always)]
        || {
            let (decay, rate) = (lanes.splat(layer.decay), lanes.splat(layer.rate));
            let fast = groups_mut::<L, E>(fast);
            let current: [&[L::Real]; E] = each(|e| &current[(first + e) * row..][..size]);
            for block in 0..layer.layout.blocks {
                let fast = &mut fast[block * size..][..size];
                let mut totals: [L::Vector; E] = each(|e| L::vectors(&sums[(first + e) * row..][..row])[block]);
                if let Some(learned) = learned {
                    let pre: [&[L::Real]; E] = each(|e| &learned[(first + e) * row..][..size]);
                    let post: [L::Vector; E] =
                        each(|e| lanes.mul(rate, L::vectors(&learned[(first + e) * row..][..row])[block]));
                    for j in 0..size {
                        for e in 0..E {
                            let next = lanes.mul_add(post[e], lanes.splat(pre[e][j]), lanes.mul(decay, fast[j][e]));
                            fast[j][e] = next;
                            totals[e] = lanes.mul_add(next, lanes.splat(current[e][j]), totals[e]);
                        }
                    }
                } else {
                    for j in 0..size {
                        for e in 0..E {
                            totals[e] = lanes.mul_add(fast[j][e], lanes.splat(current[e][j]), totals[e]);
                        }
                    }
                }
                for e in 0..E {
                    L::vectors_mut(&mut sums[(first + e) * row..][..row])[block] = totals[e];
                }
            }
        },
    );
}

fn follow<L: Lanes, const E: usize>(
    layer: &AttentiveLayer<L>,
    first: usize,
    learned: &[L::Real],
    fast: &[L::Real],
    next: &mut [L::Real],
) {
    let (lanes, row, size) = (layer.lanes, layer.layout.row(), layer.spec.hidden);
    lanes.vectorize(
        #[inline(always)]
        || {
            let (decay, rate) = (lanes.splat(layer.decay), lanes.splat(layer.rate));
            let (fast, next) = (groups::<L, E>(fast), groups_mut::<L, E>(next));
            let pre: [&[L::Real]; E] = each(|e| &learned[(first + e) * row..][..size]);
            for block in 0..layer.layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, next) = (&fast[part.clone()], &mut next[part]);
                let post: [L::Vector; E] =
                    each(|e| lanes.mul(rate, L::vectors(&learned[(first + e) * row..][..row])[block]));
                for j in 0..size {
                    for e in 0..E {
                        next[j][e] = lanes.mul_add(post[e], lanes.splat(pre[e][j]), lanes.mul(decay, fast[j][e]));
                    }
                }
            }
        },
    );
}

fn attend_back<L: Lanes, const E: usize>(
    layer: &AttentiveLayer<L>,
    first: usize,
    learned: Option<&[L::Real]>,
    [current, grad]: [&[L::Real]; 2],
    fast: &[L::Real],
    matrices: std::ops::Range<usize>,
    sums: &mut InnerSums<'_, L::Real>,
) {
    let (lanes, row, size) = (layer.lanes, layer.layout.row(), layer.spec.hidden);
    lanes.vectorize(
        #[inline(always)]
        || {
            let zero = lanes.splat(L::Real::ZERO);
            let (decay, rate) = (lanes.splat(layer.decay), lanes.splat(layer.rate));
            let (fast, grad_fast) = (groups::<L, E>(fast), groups_mut::<L, E>(&mut sums.fast[matrices]));
            let (columns, learned_columns) = groups_mut::<L, E>(sums.columns)[..2 * size].split_at_mut(size);
            columns.iter_mut().for_each(|column| *column = [zero; E]);
            learned_columns.iter_mut().for_each(|column| *column = [zero; E]);
            let current: [&[L::Real]; E] = each(|e| &current[(first + e) * row..][..size]);
            for block in 0..layer.layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, grad_fast) = (&fast[part.clone()], &mut grad_fast[part]);
                let grad: [L::Vector; E] = each(|e| L::vectors(&grad[(first + e) * row..][..row])[block]);
                if let Some(learned) = learned {
                    let pre: [&[L::Real]; E] = each(|e| &learned[(first + e) * row..][..size]);
                    let post: [L::Vector; E] =
                        each(|e| lanes.mul(rate, L::vectors(&learned[(first + e) * row..][..row])[block]));
                    let mut totals = [zero; E];
                    for j in 0..size {
                        for e in 0..E {
                            let total = lanes.mul_add(grad[e], lanes.splat(current[e][j]), grad_fast[j][e]);
                            columns[j][e] = lanes.mul_add(fast[j][e], grad[e], columns[j][e]);
                            learned_columns[j][e] = lanes.mul_add(total, post[e], learned_columns[j][e]);
                            totals[e] = lanes.mul_add(total, lanes.splat(pre[e][j]), totals[e]);
                            grad_fast[j][e] = lanes.mul(decay, total);
                        }
                    }
                    for e in 0..E {
                        let before = &mut L::vectors_mut(&mut sums.before[(first + e) * row..][..row])[block];
                        *before = lanes.mul_add(rate, totals[e], *before);
                    }
                } else {
                    for j in 0..size {
                        for e in 0..E {
                            grad_fast[j][e] = lanes.mul_add(grad[e], lanes.splat(current[e][j]), grad_fast[j][e]);
                            columns[j][e] = lanes.mul_add(fast[j][e], grad[e], columns[j][e]);
                        }
                    }
                }
            }
            for j in 0..size {
                for e in 0..E {
                    sums.current[(first + e) * row + j] = lanes.sum(columns[j][e]);
                    if learned.is_some() {
                        sums.before[(first + e) * row + j] += lanes.sum(learned_columns[j][e]);
                    }
                }
            }
        },
    );
}
