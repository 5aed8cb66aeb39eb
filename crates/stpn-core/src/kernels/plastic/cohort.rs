//! A cohort: groups of E batch elements that go through time in step, with their state in the passes' layout.
//!
//! Between steps the update of the last one is pending: the pass that applies it is the one that also makes the next
//! step's sums, which needs the next input. [`Cohort::settle`] applies it alone.

use super::activity::{activity, inverse_norm_of, overflowed, scale_after, with_care};
use super::form::{ROW_BIAS, ROW_H, ROW_INVERSE, ROW_S, ROW_SUM, ROWS, SUM_PHI_SQUARE, SUM_W_PHI};
use super::packing::{pack_fast, pack_units, unpack_fast, unpack_units};
use super::presynaptic::Span;
use super::record::Record;
use super::update::{Operands, UpdateForm, pass};
use super::weights::{Neuron, Weights};
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;

/// The state of a cohort.
#[derive(Debug)]
pub struct Cohort<L: Lanes, const E: usize> {
    span: Span,
    /// Φ `[G, blocks, D, E]` vectors.
    phi: Lease<L::Real>,
    /// Presynaptic vectors of the last and of the current step, `[G, D, E]`.
    z: [Lease<L::Real>; 2],
    /// `[G, blocks, ROWS, E]` vectors.
    rows: Lease<L::Real>,
    /// Φ is the state itself.
    fresh: bool,
    /// The last step's update is still to be applied.
    pending: bool,
}

impl<L: Lanes, const E: usize> Cohort<L, E> {
    /// All-zero state.
    pub fn new(weights: &Weights<L>, span: Span) -> Self {
        let mut cohort = Self::unfilled(weights, span);
        for values in [&mut cohort.phi, &mut cohort.rows] {
            values.fill(L::Real::ZERO);
        }
        cohort
    }

    /// The state of the packed `[B, S]`, zero for the elements that `starting` `[B]` marks.
    pub fn loaded(weights: &Weights<L>, span: Span, state: &[L::Real], starting: Option<&[u8]>) -> Self {
        let mut cohort = Self::unfilled(weights, span);
        cohort.load(weights, state, starting);
        cohort
    }

    /// Φ and rows of any value.
    fn unfilled(weights: &Weights<L>, span: Span) -> Self {
        let vectors = |count: usize| weights.pool.lease(span.groups * count * E * L::WIDTH);
        let presynaptic = || {
            let mut lease = weights.pool.lease(span.groups * weights.width * E);
            lease.fill(L::Real::ZERO);
            lease
        };
        Self {
            span,
            phi: vectors(weights.blocks * weights.width),
            z: [presynaptic(), presynaptic()],
            rows: vectors(weights.blocks * ROWS),
            fresh: true,
            pending: false,
        }
    }

    /// Φ `[G, blocks, D, E]` of vectors.
    pub fn phi(&self) -> &[L::Real] {
        &self.phi
    }

    /// Copies the scale s of Φ into vector `place` of records `[G, blocks, len, E]`.
    pub fn copy_scale(&self, weights: &Weights<L>, len: usize, place: usize, records: &mut [L::Real]) {
        let vectors = E * L::WIDTH;
        for row in 0..self.span.groups * weights.blocks {
            let scale = &self.rows[(row * ROWS + ROW_S) * vectors..][..vectors];
            records[(row * len + place) * vectors..][..vectors].copy_from_slice(scale);
        }
    }

    /// Writes the activity into `[G·E, H]`.
    pub fn copy_hidden(&self, weights: &Weights<L>, hidden: &mut [L::Real]) {
        let span = Span { first: 0, ..self.span };
        let rows = &self.rows[ROW_H * E * L::WIDTH..];
        pack_units::<L, E>(weights, span, rows, ROWS * E * L::WIDTH, (hidden, 0, weights.spec.hidden));
    }

    /// Takes over the elements' states from the packed `[B, S]`. Those that `starting` `[B]` marks are about to be
    /// zeroed: their fast weights are not read.
    pub fn load(&mut self, weights: &Weights<L>, state: &[L::Real], starting: Option<&[u8]>) {
        unpack_fast::<L, E>(weights, self.span, (state, starting), &mut self.phi);
        self.rows.fill(L::Real::ZERO);
        for (row, start) in [(ROW_H, weights.spec.state.hidden), (ROW_BIAS, weights.spec.state.bias)] {
            let Some(start) = start else { continue };
            let rows = &mut self.rows[row * E * L::WIDTH..];
            let values = (state, start, weights.spec.state.len);
            unpack_units::<L, E>(weights, self.span, values, rows, ROWS * E * L::WIDTH);
        }
        (self.fresh, self.pending) = (true, false);
    }

    /// Writes the elements' states into the packed `[B, S]`. The update must not be pending.
    pub fn store(&self, weights: &Weights<L>, state: &mut [L::Real]) {
        debug_assert!(self.fresh && !self.pending, "store of an unsettled state");
        pack_fast::<L, E>(weights, self.span, &self.phi, state);
        for (row, start) in [(ROW_H, weights.spec.state.hidden), (ROW_BIAS, weights.spec.state.bias)] {
            let Some(start) = start else { continue };
            let rows = &self.rows[row * E * L::WIDTH..];
            let values = (&mut *state, start, weights.spec.state.len);
            pack_units::<L, E>(weights, self.span, rows, ROWS * E * L::WIDTH, values);
        }
    }

    /// Brings the sums of the step from x `[B, I]`: resets what `resets` `[B]` marks and applies a pending update.
    pub fn approach(&mut self, weights: &Weights<L>, x: &[L::Real], resets: Option<&[u8]>) {
        let (width, input, hidden) = (weights.width, weights.spec.input, weights.spec.hidden);
        let form = UpdateForm::fused(weights);
        if self.pending {
            self.z.swap(0, 1);
        }
        if let Some(resets) = resets {
            // With everything zero that the update reads, what it leaves is zero.
            self.span.clear_columns::<_, E>(width, 0, resets, &mut self.z[0]);
            self.span.clear_vectors::<L, E>(weights, resets, &mut self.phi);
            self.span.clear_vectors::<L, E>(weights, resets, &mut self.rows);
        }
        self.span.fill_input::<_, E>(width, input, x, &mut self.z[1]);
        if weights.spec.config.recurrent {
            let rows = L::WIDTH * E;
            for (group, z) in self.z[1].chunks_exact_mut(width * E).enumerate() {
                for neuron in 0..hidden {
                    let block = group * weights.blocks + neuron / L::WIDTH;
                    for e in 0..E {
                        z[(input + neuron) * E + e] =
                            self.rows[(block * ROWS + ROW_H) * rows + e * L::WIDTH + neuron % L::WIDTH];
                    }
                }
            }
        }
        let [y, z] = &self.z;
        let form = if self.pending { form } else { form.measure() };
        self.fresh &= !self.pending;
        pass::<L, E>(weights, form, Operands { phi: &mut self.phi, y, z, rows: &mut self.rows });
    }

    /// Takes the step whose sums are there: writes its activity into `[B, H]` and what the backward pass needs into
    /// `record` `[G, blocks, len, E]`.
    pub fn emit(&mut self, weights: &Weights<L>, hidden: &mut [L::Real], record: Option<(Record, &mut [L::Real])>) {
        let blocks = weights.blocks;
        let fresh = self.fresh;
        let rows = L::vectors_mut(&mut self.rows).as_chunks_mut::<E>().0.as_chunks_mut::<ROWS>().0;
        let phi = L::vectors(&self.phi).as_chunks::<E>().0;
        let (layout, mut record) = record.unzip();
        weights.lanes.vectorize(
            #[inline(always)]
            || {
                for (group, rows) in rows.chunks_exact_mut(blocks).enumerate() {
                    let phi = &phi[group * blocks * weights.width..][..blocks * weights.width];
                    let overflown = overflowed(weights, rows).then_some(phi);
                    let record = layout.zip(record.as_deref_mut()).map(|(layout, record)| {
                        let len = blocks * layout.len;
                        let record = L::vectors_mut(record).as_chunks_mut::<E>().0;
                        (layout, &mut record[group * len..(group + 1) * len])
                    });
                    activity(weights, fresh, overflown, rows, record);
                }
            },
        );
        let rows = &self.rows[ROW_H * E * L::WIDTH..];
        let values = (hidden, 0, weights.spec.hidden);
        pack_units::<L, E>(weights, self.span, rows, ROWS * E * L::WIDTH, values);
        self.pending = true;
    }

    /// Applies a pending update, so that Φ is the state itself.
    pub fn settle(&mut self, weights: &Weights<L>) {
        if !self.pending {
            return;
        }
        let form = UpdateForm::fused(weights);
        let z = &self.z[1];
        // The sums' presynaptic vector is of no interest here, only the norms are.
        pass::<L, E>(weights, form, Operands { phi: &mut self.phi, y: z, z, rows: &mut self.rows });
        if weights.spec.after() {
            let lanes = weights.lanes;
            let rows = L::vectors_mut(&mut self.rows).as_chunks_mut::<E>().0.as_chunks_mut::<ROWS>().0;
            let phi = L::vectors_mut(&mut self.phi).as_chunks_mut::<E>().0;
            lanes.vectorize(
                #[inline(always)]
                || {
                    let overflown = overflowed(weights, rows);
                    for (index, (rows, phi)) in rows.iter_mut().zip(phi.chunks_exact_mut(weights.width)).enumerate() {
                        let block = index % weights.blocks;
                        let square = weights.neuron(Neuron::Square, block);
                        for e in 0..E {
                            let (w_phi, phi_phi) = (rows[ROW_SUM + SUM_W_PHI][e], rows[ROW_SUM + SUM_PHI_SQUARE][e]);
                            rows[ROW_S][e] = scale_after(lanes, square, w_phi, phi_phi);
                            if overflown {
                                let (table, squares) = (weights.entries(block), lanes.add(lanes.abs(w_phi), phi_phi));
                                rows[ROW_S][e] = with_care(lanes, squares, rows[ROW_S][e], || {
                                    inverse_norm_of(lanes, table.len(), |column| {
                                        lanes.add(table[column][0], phi[column][e])
                                    })
                                });
                            }
                        }
                        for phi in phi {
                            for e in 0..E {
                                phi[e] = lanes.mul(rows[ROW_S][e], phi[e]);
                            }
                        }
                    }
                },
            );
        }
        (self.fresh, self.pending) = (true, false);
    }

    /// Energy `Σ_j |G_ij|·z_j²` of every unit at the step just emitted, into `[B, H]`; `mask` `[I]` multiplies the
    /// inputs' squares.
    pub fn energy(&self, weights: &Weights<L>, mask: Option<&[L::Real]>, energy: &mut [L::Real]) {
        let (lanes, width, size) = (weights.lanes, weights.width, weights.spec.hidden);
        let rows = L::vectors(&self.rows).as_chunks::<E>().0.as_chunks::<ROWS>().0;
        let phi = L::vectors(&self.phi).as_chunks::<E>().0;
        let z = self.z[1].as_chunks::<E>().0;
        let mut unit = weights.pool.lease(L::WIDTH);
        for (index, (rows, phi)) in rows.iter().zip(phi.chunks_exact(width)).enumerate() {
            let (group, block) = (index / weights.blocks, index % weights.blocks);
            let first = block * L::WIDTH;
            let units = L::WIDTH.min(size - first);
            for e in 0..E {
                let sum = lanes.vectorize(
                    #[inline(always)]
                    || {
                        let mut sum = lanes.splat(L::Real::ZERO);
                        for (column, ([weight, ..], phi)) in weights.entries(block).iter().zip(phi).enumerate() {
                            let value = z[group * width + column][e];
                            let factor = mask.and_then(|mask| mask.get(column)).copied().unwrap_or(L::Real::ONE);
                            let effective = lanes.abs(lanes.mul_add(rows[ROW_S][e], phi[e], *weight));
                            sum = lanes.mul_add(effective, lanes.splat(value * value * factor * factor), sum);
                        }
                        lanes.mul(sum, rows[ROW_INVERSE][e])
                    },
                );
                L::vectors_mut(&mut unit)[0] = sum;
                energy[(self.span.first + group * E + e) * size + first..][..units].copy_from_slice(&unit[..units]);
            }
        }
    }
}
