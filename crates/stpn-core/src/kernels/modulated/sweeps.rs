//! Passes over the fast weights of a group of E elements.

use super::layer::{ENTRY, ModulatedLayer};
use super::rule::Rule;
use crate::kernels::Real;
use crate::kernels::fast::{Group, groups, groups_mut, of_width};
use crate::kernels::lanes::{Lanes, each};

/// Padded rows of a block, `[B, row]`, and its rates, at one step.
#[derive(Clone, Copy)]
pub struct StepRows<'a, T> {
    /// h after the step.
    pub post: &'a [T],
    /// h before the step, zero where it was reset.
    pub pre: &'a [T],
    /// m `[B]`.
    pub rates: &'a [T],
}

/// One step of one group.
struct Operands<'a, L: Lanes, const E: usize> {
    pre: [&'a [L::Real]; E],
    post: [&'a [L::Vector]; E],
    rates: [L::Vector; E],
}

impl<'a, L: Lanes, const E: usize> Operands<'a, L, E> {
    #[inline(always)]
    fn new(layer: &ModulatedLayer<L>, first: usize, rows: StepRows<'a, L::Real>) -> Self {
        let (row, size) = (layer.layout.row(), layer.spec.hidden);
        Self {
            pre: each(|e| &rows.pre[(first + e) * row..][..size]),
            post: each(|e| L::vectors(&rows.post[(first + e) * row..][..row])),
            rates: each(|e| layer.lanes.splat(rows.rates[first + e])),
        }
    }
}

impl<L: Lanes> ModulatedLayer<L> {
    /// The update of the step whose rows are given, if any, then the product (W + α⊙F)·h of the activities `current`
    /// `[B, row]`, which is added to `sums` `[B, row]`.
    pub fn advance(
        &self,
        group: Group,
        last: Option<StepRows<'_, L::Real>>,
        current: &[L::Real],
        [fast, trace]: [&mut [L::Real]; 2],
        sums: &mut [L::Real],
    ) {
        let matrices = self.layout.matrices(group);
        let trace = if trace.is_empty() { trace } else { &mut trace[matrices.clone()] };
        of_width!(group, advance(self, group.first, last, current, &mut fast[matrices], trace, sums));
    }

    /// The update alone, from one place to another: `into` is F and trace after the step.
    pub fn follow(
        &self,
        group: Group,
        rows: StepRows<'_, L::Real>,
        [fast, trace]: [&[L::Real]; 2],
        [next_fast, next_trace]: [&mut [L::Real]; 2],
    ) {
        let matrices = self.layout.matrices(group);
        let (trace, next_trace) = match trace.is_empty() {
            true => (trace, next_trace),
            false => (&trace[matrices.clone()], &mut next_trace[matrices.clone()]),
        };
        of_width!(
            group,
            follow(self, group.first, rows, [&fast[matrices.clone()], trace], [&mut next_fast[matrices], next_trace])
        );
    }

    /// Backward through the update. Turns the gradients of F and trace after the step into those before it, adds to
    /// `sums`, and starts the columns.
    pub fn update_back(
        &self,
        group: Group,
        rows: StepRows<'_, L::Real>,
        [fast, trace]: [&[L::Real]; 2],
        [grad_fast, grad_trace]: [&mut [L::Real]; 2],
        sums: &mut UpdateSums<'_, L::Real>,
    ) {
        let matrices = self.layout.matrices(group);
        let (trace, grad_trace) = match trace.is_empty() {
            true => (trace, grad_trace),
            false => (&trace[matrices.clone()], &mut grad_trace[matrices.clone()]),
        };
        let (fast, grad_fast) = (&fast[matrices.clone()], &mut grad_fast[matrices]);
        of_width!(group, update_back(self, group.first, rows, [fast, trace], [grad_fast, grad_trace], sums));
    }

    /// Backward through the product: from the gradient of the pre-activations `[B, row]`. Adds to the gradients of F
    /// and α, ends the columns and writes them as the gradient of h before the step, `[B, row]`.
    #[expect(clippy::too_many_arguments, reason = "what it reads and what it adds to")]
    pub fn product_back(
        &self,
        group: Group,
        pre: &[L::Real],
        grad_pre: &[L::Real],
        fast: &[L::Real],
        grad_fast: &mut [L::Real],
        grad_alpha: &mut [L::Real],
        columns: &mut [L::Real],
        grad_before: &mut [L::Real],
    ) {
        let matrices = self.layout.matrices(group);
        let (fast, grad_fast) = (&fast[matrices.clone()], &mut grad_fast[matrices]);
        of_width!(
            group,
            product_back(self, group.first, pre, grad_pre, fast, grad_fast, grad_alpha, columns, grad_before)
        );
    }
}

/// What the pass through the update adds to.
pub struct UpdateSums<'a, T> {
    /// Gradient of h after the step, `[B, row]`.
    pub hidden: &'a mut [T],
    /// Gradient of the rates `[B]`, overwritten.
    pub rates: &'a mut [T],
    /// Gradient of η as it multiplies the trace, of each element `[B]`, overwritten.
    pub eta: &'a mut [T],
    /// Partial sums of the gradient of h before the step, `[H, E]` of vectors, overwritten.
    pub columns: &'a mut [T],
}

fn advance<L: Lanes, const E: usize>(
    layer: &ModulatedLayer<L>,
    first: usize,
    last: Option<StepRows<'_, L::Real>>,
    current: &[L::Real],
    fast: &mut [L::Real],
    trace: &mut [L::Real],
    sums: &mut [L::Real],
) {
    let (lanes, layout, size) = (layer.lanes, layer.layout, layer.spec.hidden);
    let row = layout.row();
    lanes.vectorize(
        #[inline(always)]
        || {
            let (rule, eta) = (layer.rule(), lanes.splat(layer.eta));
            let (fast, trace) = (groups_mut::<L, E>(fast), groups_mut::<L, E>(trace));
            let table = groups::<L, ENTRY>(&layer.table);
            let current: [&[L::Real]; E] = each(|e| &current[(first + e) * row..][..size]);
            let last = last.map(|rows| Operands::<L, E>::new(layer, first, rows));
            for block in 0..layout.blocks {
                let (fast, table) = (&mut fast[block * size..][..size], &table[block * size..][..size]);
                if let Some(last) = &last {
                    let post: [L::Vector; E] = each(|e| last.post[e][block]);
                    if trace.is_empty() {
                        let scaled: [L::Vector; E] = each(|e| lanes.mul(last.rates[e], post[e]));
                        for j in 0..size {
                            for e in 0..E {
                                let change = lanes.mul(scaled[e], lanes.splat(last.pre[e][j]));
                                fast[j][e] = rule.apply(fast[j][e], change, last.rates[e]);
                            }
                        }
                    } else {
                        let trace = &mut trace[block * size..][..size];
                        for j in 0..size {
                            for e in 0..E {
                                let change = lanes.mul(last.rates[e], trace[j][e]);
                                fast[j][e] = rule.apply(fast[j][e], change, last.rates[e]);
                                trace[j][e] = follow_trace(lanes, eta, trace[j][e], post[e], last.pre[e][j]);
                            }
                        }
                    }
                }
                let mut totals: [L::Vector; E] = each(|e| L::vectors(&sums[(first + e) * row..][..row])[block]);
                for j in 0..size {
                    let [weight, alpha] = table[j];
                    for e in 0..E {
                        let effective = lanes.mul_add(alpha, fast[j][e], weight);
                        totals[e] = lanes.mul_add(effective, lanes.splat(current[e][j]), totals[e]);
                    }
                }
                for e in 0..E {
                    L::vectors_mut(&mut sums[(first + e) * row..][..row])[block] = totals[e];
                }
            }
        },
    );
}

/// E + η(h' ⊗ h − E)
#[inline(always)]
fn follow_trace<L: Lanes>(lanes: L, eta: L::Vector, trace: L::Vector, post: L::Vector, pre: L::Real) -> L::Vector {
    lanes.mul_add(eta, lanes.sub(lanes.mul(post, lanes.splat(pre)), trace), trace)
}

fn follow<L: Lanes, const E: usize>(
    layer: &ModulatedLayer<L>,
    first: usize,
    rows: StepRows<'_, L::Real>,
    [fast, trace]: [&[L::Real]; 2],
    [next_fast, next_trace]: [&mut [L::Real]; 2],
) {
    let (lanes, layout, size) = (layer.lanes, layer.layout, layer.spec.hidden);
    lanes.vectorize(
        #[inline(always)]
        || {
            let (rule, eta) = (layer.rule(), lanes.splat(layer.eta));
            let (fast, trace) = (groups::<L, E>(fast), groups::<L, E>(trace));
            let (next_fast, next_trace) = (groups_mut::<L, E>(next_fast), groups_mut::<L, E>(next_trace));
            let step = Operands::<L, E>::new(layer, first, rows);
            for block in 0..layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, next_fast) = (&fast[part.clone()], &mut next_fast[part.clone()]);
                let post: [L::Vector; E] = each(|e| step.post[e][block]);
                if trace.is_empty() {
                    let scaled: [L::Vector; E] = each(|e| lanes.mul(step.rates[e], post[e]));
                    for j in 0..size {
                        for e in 0..E {
                            let change = lanes.mul(scaled[e], lanes.splat(step.pre[e][j]));
                            next_fast[j][e] = rule.apply(fast[j][e], change, step.rates[e]);
                        }
                    }
                } else {
                    let (trace, next_trace) = (&trace[part.clone()], &mut next_trace[part]);
                    for j in 0..size {
                        for e in 0..E {
                            let change = lanes.mul(step.rates[e], trace[j][e]);
                            next_fast[j][e] = rule.apply(fast[j][e], change, step.rates[e]);
                            next_trace[j][e] = follow_trace(lanes, eta, trace[j][e], post[e], step.pre[e][j]);
                        }
                    }
                }
            }
        },
    );
}

fn update_back<L: Lanes, const E: usize>(
    layer: &ModulatedLayer<L>,
    first: usize,
    rows: StepRows<'_, L::Real>,
    [fast, trace]: [&[L::Real]; 2],
    [grad_fast, grad_trace]: [&mut [L::Real]; 2],
    sums: &mut UpdateSums<'_, L::Real>,
) {
    let (lanes, layout, size) = (layer.lanes, layer.layout, layer.spec.hidden);
    let row = layout.row();
    lanes.vectorize(
        #[inline(always)]
        || {
            let zero = lanes.splat(L::Real::ZERO);
            let (rule, eta) = (layer.rule(), lanes.splat(layer.eta));
            let (fast, trace) = (groups::<L, E>(fast), groups::<L, E>(trace));
            let (grad_fast, grad_trace) = (groups_mut::<L, E>(grad_fast), groups_mut::<L, E>(grad_trace));
            let columns = &mut groups_mut::<L, E>(sums.columns)[..size];
            columns.iter_mut().for_each(|column| *column = [zero; E]);
            let step = Operands::<L, E>::new(layer, first, rows);
            let (mut grad_rate, mut grad_eta) = ([zero; E], [zero; E]);
            for block in 0..layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, grad_fast) = (&fast[part.clone()], &mut grad_fast[part.clone()]);
                let post: [L::Vector; E] = each(|e| step.post[e][block]);
                // Σ_j of the Hebbian term's gradient times h_j, and what multiplies the term.
                let mut totals = [zero; E];
                let factors: [L::Vector; E];
                if trace.is_empty() {
                    factors = step.rates;
                    let scaled: [L::Vector; E] = each(|e| lanes.mul(step.rates[e], post[e]));
                    for j in 0..size {
                        for e in 0..E {
                            let pre = lanes.splat(step.pre[e][j]);
                            let change = lanes.mul(scaled[e], pre);
                            let [grad, grad_change] =
                                rule.back(fast[j][e], change, step.rates[e], grad_fast[j][e], &mut grad_rate[e]);
                            grad_fast[j][e] = grad;
                            totals[e] = lanes.mul_add(grad_change, pre, totals[e]);
                            columns[j][e] = lanes.mul_add(grad_change, scaled[e], columns[j][e]);
                        }
                    }
                    for e in 0..E {
                        grad_rate[e] = lanes.mul_add(totals[e], post[e], grad_rate[e]);
                    }
                } else {
                    factors = [eta; E];
                    let scaled: [L::Vector; E] = each(|e| lanes.mul(eta, post[e]));
                    let (trace, grad_trace) = (&trace[part.clone()], &mut grad_trace[part]);
                    for j in 0..size {
                        for e in 0..E {
                            let (pre, old, grad_next) = (lanes.splat(step.pre[e][j]), trace[j][e], grad_trace[j][e]);
                            let change = lanes.mul(step.rates[e], old);
                            let [grad, grad_change] =
                                rule.back(fast[j][e], change, step.rates[e], grad_fast[j][e], &mut grad_rate[e]);
                            grad_fast[j][e] = grad;
                            grad_rate[e] = lanes.mul_add(grad_change, old, grad_rate[e]);
                            grad_eta[e] = lanes.sub(grad_eta[e], lanes.mul(grad_next, old));
                            totals[e] = lanes.mul_add(grad_next, pre, totals[e]);
                            columns[j][e] = lanes.mul_add(grad_next, scaled[e], columns[j][e]);
                            let kept = lanes.sub(grad_next, lanes.mul(eta, grad_next));
                            grad_trace[j][e] = lanes.mul_add(step.rates[e], grad_change, kept);
                        }
                    }
                    for e in 0..E {
                        grad_eta[e] = lanes.mul_add(totals[e], post[e], grad_eta[e]);
                    }
                }
                for e in 0..E {
                    let hidden = &mut L::vectors_mut(&mut sums.hidden[(first + e) * row..][..row])[block];
                    *hidden = lanes.mul_add(factors[e], totals[e], *hidden);
                }
            }
            for e in 0..E {
                sums.rates[first + e] = lanes.sum(grad_rate[e]);
                sums.eta[first + e] = lanes.sum(grad_eta[e]);
            }
        },
    );
}

#[expect(clippy::too_many_arguments, reason = "what it reads and what it adds to")]
fn product_back<L: Lanes, const E: usize>(
    layer: &ModulatedLayer<L>,
    first: usize,
    pre: &[L::Real],
    grad_pre: &[L::Real],
    fast: &[L::Real],
    grad_fast: &mut [L::Real],
    grad_alpha: &mut [L::Real],
    columns: &mut [L::Real],
    grad_before: &mut [L::Real],
) {
    let (lanes, layout, size) = (layer.lanes, layer.layout, layer.spec.hidden);
    let row = layout.row();
    lanes.vectorize(
        #[inline(always)]
        || {
            let (fast, grad_fast) = (groups::<L, E>(fast), groups_mut::<L, E>(grad_fast));
            let (table, grad_alpha) = (groups::<L, ENTRY>(&layer.table), L::vectors_mut(grad_alpha));
            let columns = &mut groups_mut::<L, E>(columns)[..size];
            let pre: [&[L::Real]; E] = each(|e| &pre[(first + e) * row..][..size]);
            for block in 0..layout.blocks {
                let part = block * size..(block + 1) * size;
                let (fast, grad_fast) = (&fast[part.clone()], &mut grad_fast[part.clone()]);
                let (table, grad_alpha) = (&table[part.clone()], &mut grad_alpha[part]);
                let grad_pre: [L::Vector; E] = each(|e| L::vectors(&grad_pre[(first + e) * row..][..row])[block]);
                for j in 0..size {
                    let [weight, alpha] = table[j];
                    let mut total = grad_alpha[j];
                    for e in 0..E {
                        let grad = lanes.mul(grad_pre[e], lanes.splat(pre[e][j]));
                        total = lanes.mul_add(grad, fast[j][e], total);
                        grad_fast[j][e] = lanes.mul_add(grad, alpha, grad_fast[j][e]);
                        let effective = lanes.mul_add(alpha, fast[j][e], weight);
                        columns[j][e] = lanes.mul_add(grad_pre[e], effective, columns[j][e]);
                    }
                    grad_alpha[j] = total;
                }
            }
            for (j, columns) in columns.iter().enumerate() {
                for e in 0..E {
                    grad_before[(first + e) * row + j] = lanes.sum(columns[e]);
                }
            }
        },
    );
}

impl<L: Lanes> ModulatedLayer<L> {
    #[inline(always)]
    fn rule(&self) -> Rule<L> {
        Rule::new(self.lanes, self.spec.config.bound, self.spec.config.modulation)
    }
}
