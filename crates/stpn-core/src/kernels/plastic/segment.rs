//! A segment of a sequence on the way back: what its steps read, brought back from the tape.

use std::ops::Range;

use super::forward::CohortTape;
use super::packing::unpack_units;
use super::plan::CohortPlan;
use super::presynaptic::Span;
use super::recompute::{self, Steps};
use super::record::Record;
use super::weights::Weights;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::Adjoint;

/// The steps of one segment at a time, in the passes' layout. Φ is kept apart, in slots: after every `stride`-th step.
pub struct Segment<'a, L: Lanes, const E: usize> {
    weights: &'a Weights<L>,
    pub span: Span,
    pub tape: &'a CohortTape<L::Real>,
    pub layout: Record,
    /// Steps of a segment, and from slot to slot.
    pub len: usize,
    stride: usize,
    /// Its first step.
    first: usize,
    /// Scalars of Φ, of a presynaptic vector, of dense rows.
    pub phi_len: usize,
    pub presynaptic_len: usize,
    pub dense_len: usize,
    /// Presynaptic vectors of the step before the segment and of each of its steps, `[len + 1, G, D, E]`.
    z: Lease<L::Real>,
    /// Activities of each step, `[len, G, blocks, E]`.
    hidden: Lease<L::Real>,
    /// Most segments that start between two of the tape's checkpoints.
    between: usize,
}

impl<'a, L: Lanes, const E: usize> Segment<'a, L, E> {
    pub fn new(weights: &'a Weights<L>, cohort: &CohortPlan, tape: &'a CohortTape<L::Real>) -> Self {
        let span = cohort.span;
        let dense_len = span.groups * weights.blocks * E * L::WIDTH;
        let presynaptic_len = span.groups * weights.width * E;
        let (len, phi_len) = (cohort.segment, dense_len * weights.width);
        Self {
            weights,
            span,
            tape,
            layout: Record::new(&weights.spec),
            len,
            stride: cohort.stride,
            first: 0,
            phi_len,
            presynaptic_len,
            dense_len,
            z: weights.pool.lease((len + 1) * presynaptic_len),
            hidden: weights.pool.lease(len * dense_len),
            between: tape.every.div_ceil(len) - 1,
        }
    }

    /// Room for Φ before each segment between two checkpoints, then after every `stride`-th step of a segment.
    pub fn slots(&self) -> Lease<L::Real> {
        self.weights.pool.lease((self.between + self.len / self.stride) * self.phi_len)
    }

    /// Finds Φ at the start of every segment of `steps`, which begin at a checkpoint of the tape.
    pub fn find_starts(&mut self, adjoint: &Adjoint<'_, L::Real>, slots: &mut [L::Real], steps: Range<usize>) {
        for (place, first) in steps.clone().step_by(self.len).skip(1).enumerate() {
            self.read(adjoint, first - self.len..first);
            let start = place * self.phi_len;
            let (before, after) = slots.split_at_mut(start);
            let start = self.checkpoint(before, first - self.len);
            self.run(adjoint, first - self.len..first, start, self.len, &mut after[..self.phi_len]);
        }
    }

    /// Moves to the steps `first..last`.
    pub fn recompute(&mut self, adjoint: &Adjoint<'_, L::Real>, slots: &mut [L::Real], first: usize, last: usize) {
        self.read(adjoint, first..last);
        // Only the normalisation after the update looks at Φ after the segment.
        let end = if self.weights.spec.after() || last == adjoint.extent.steps { last } else { last - 1 };
        self.update(adjoint, slots, first..end);
    }

    /// Brings presynaptic vectors and activities of these steps into place.
    fn read(&mut self, adjoint: &Adjoint<'_, L::Real>, steps: Range<usize>) {
        let (weights, batch, size, first) = (self.weights, adjoint.extent.batch, self.weights.spec.hidden, steps.start);
        self.first = first;
        match first {
            0 => self.z[..self.presynaptic_len].fill(L::Real::ZERO),
            _ => self.presynaptic_of(adjoint, first - 1, 0),
        }
        for t in steps {
            self.presynaptic_of(adjoint, t, t - first + 1);
            let rows = &mut self.hidden[(t - first) * self.dense_len..][..self.dense_len];
            let values = (&adjoint.hidden[t * batch * size..], 0, size);
            unpack_units::<L, E>(weights, self.span, values, rows, E * L::WIDTH);
        }
    }

    /// Fills the slots with Φ after each of these steps, from the one before them.
    fn update(&self, adjoint: &Adjoint<'_, L::Real>, slots: &mut [L::Real], steps: Range<usize>) {
        let place = self.between + (steps.start - self.first) / self.stride;
        let (before, after) = slots.split_at_mut(place * self.phi_len);
        let after = &mut after[..steps.len() / self.stride * self.phi_len];
        let (start, _) = self.slot(before, steps.start);
        self.run(adjoint, steps, start, self.stride, after);
    }

    /// Runs the updates of these steps from Φ before the first; keeps Φ after every `stride`-th.
    fn run(
        &self,
        adjoint: &Adjoint<'_, L::Real>,
        steps: Range<usize>,
        start: &[L::Real],
        stride: usize,
        after: &mut [L::Real],
    ) {
        let mut between = self.weights.pool.lease(2 * recompute::CHUNK * E * L::WIDTH);
        let start = &start[..self.phi_len];
        recompute::run::<L, E>(self.weights, self.steps(adjoint, steps), start, stride, after, &mut between);
    }

    /// Fills place `into` of the presynaptic vectors with that of step t.
    fn presynaptic_of(&mut self, adjoint: &Adjoint<'_, L::Real>, t: usize, into: usize) {
        let (spec, width, len) = (&self.weights.spec, self.weights.width, self.presynaptic_len);
        let (batch, input, size) = (adjoint.extent.batch, spec.input, spec.hidden);
        let z = &mut self.z[into * len..][..len];
        self.span.fill_input::<_, E>(width, input, &adjoint.x[t * batch * input..], z);
        if !spec.config.recurrent {
            return;
        }
        if t == 0 {
            Span { first: 0, ..self.span }.fill_hidden::<_, E>(width, size, &self.tape.start, z);
        } else {
            self.span.fill_hidden::<_, E>(width, size, &adjoint.hidden[(t - 1) * batch * size..], z);
        }
        if let Some(resets) = adjoint.resets {
            self.span.clear_columns::<_, E>(width, input, &resets[t * batch..(t + 1) * batch], z);
        }
    }

    /// The last Φ kept before step t or at it, and how many steps before it that is.
    pub fn slot<'s>(&'s self, slots: &'s [L::Real], t: usize) -> (&'s [L::Real], usize) {
        let (place, behind) = ((t - self.first) / self.stride, (t - self.first) % self.stride);
        let phi = match place {
            0 => self.checkpoint(slots, self.first),
            _ => &slots[(self.between + place - 1) * self.phi_len..],
        };
        (&phi[..self.phi_len], behind)
    }

    /// Φ before the segment that starts at step `first`, and what lies behind it.
    fn checkpoint<'s>(&'s self, slots: &'s [L::Real], first: usize) -> &'s [L::Real] {
        match first % self.tape.every / self.len {
            0 => &self.tape.checkpoints[first / self.tape.every * self.phi_len..],
            place => &slots[(place - 1) * self.phi_len..],
        }
    }

    /// What the updates of these steps read beside Φ.
    pub fn steps<'s>(&'s self, adjoint: &Adjoint<'s, L::Real>, steps: Range<usize>) -> Steps<'s, L::Real> {
        let within = steps.start - self.first..steps.end - self.first;
        let z = &self.z[self.presynaptic_len..];
        let (record_len, batch) = (self.dense_len * self.layout.len, adjoint.extent.batch);
        Steps {
            span: self.span,
            z: &z[within.start * self.presynaptic_len..within.end * self.presynaptic_len],
            hidden: &self.hidden[within.start * self.dense_len..within.end * self.dense_len],
            records: &self.tape.records[steps.start * record_len..steps.end * record_len],
            scale: (self.layout.len, self.scale()),
            resets: adjoint.resets.map(|resets| (batch, &resets[((steps.start + 1) * batch).min(resets.len())..])),
        }
    }

    /// Presynaptic vector of step t, `[G, D, E]`; zero before the first step of the sequence.
    pub fn z(&self, t: usize) -> &[L::Real] {
        &self.z[(t + 1 - self.first) * self.presynaptic_len..][..self.presynaptic_len]
    }

    /// Presynaptic vector of the step before t.
    pub fn z_before(&self, t: usize) -> &[L::Real] {
        &self.z[(t - self.first) * self.presynaptic_len..][..self.presynaptic_len]
    }

    /// Activity of step t, `[G, blocks, E]` vectors.
    pub fn hidden(&self, t: usize) -> &[L::Real] {
        &self.hidden[(t - self.first) * self.dense_len..][..self.dense_len]
    }

    /// The record of step t.
    pub fn record(&self, t: usize) -> &[L::Real] {
        let len = self.dense_len * self.layout.len;
        &self.tape.records[t * len..(t + 1) * len]
    }

    /// Which vector of a record is the scale of Φ in the update, if there is one.
    fn scale(&self) -> Option<usize> {
        let layout = self.layout;
        if self.weights.spec.before() { layout.ratio.or(layout.inverse) } else { layout.scale }
    }
}
