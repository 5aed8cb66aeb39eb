//! A whole sequence forward, with the tape for its backward pass; and one step of inference.

use super::pointwise::{gru, lstm};
use super::spec::{GatedKind, Source};
use super::state::{GatedState, GatedStepping};
use super::weights::GatedLayer;
use crate::kernels::aligned::Lease;
use crate::kernels::dense::{Normed, activate, copy_rows, masked_squares, normalize};
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::{Sequence, Step, resets_at};
use crate::kernels::{Extent, Real};
use crate::options::Activation;

/// Bytes of pre-activations made by one product: they are still in the second-level cache when the recurrence
/// comes to them.
const CHUNK_BYTES: usize = 1 << 18;

/// What a forward pass leaves for the backward pass.
#[derive(Debug)]
pub struct GatedTape<T: Real> {
    /// h before the first step, `[B, gate]`.
    pub start: Vec<T>,
    /// Of a layer with gates.
    pub units: Option<UnitTape<T>>,
}

/// The part of LSTM and GRU.
#[derive(Debug)]
pub struct UnitTape<T: Real> {
    /// Gates after their nonlinearity, and what of them has none, `[T, B, width]`.
    pub gates: Lease<T>,
    /// Before each step, the LSTM's memory or the GRU's activity, `[T, B, gate]`.
    pub memory: Lease<T>,
    /// Layer norm: normalised pre-activations `[T, B, width]` and deviations `[T, B]`.
    pub normed: Option<(Lease<T>, Lease<T>)>,
}

impl<L: Lanes> GatedLayer<L> {
    /// Steps whose pre-activations fill a chunk.
    pub fn chunk(&self, extent: Extent) -> usize {
        let bytes = extent.batch * self.width * size_of::<L::Real>();
        (CHUNK_BYTES / bytes.max(1)).clamp(1, extent.steps.max(1))
    }

    /// Pre-activations `[N, width]` of inputs `[N, I]`, without recurrence.
    fn project(&self, x: &[L::Real], pre: &mut [L::Real]) {
        let rows = pre.len() / self.width;
        for row in pre.chunks_exact_mut(self.width) {
            row.copy_from_slice(&self.bias);
        }
        let lanes = self.lanes_of(Source::Input);
        self.input.multiply_into(self.lanes, rows, x, self.spec.input, (&mut pre[lanes.start..], self.width));
    }

    /// One step of a block after its resets: from pre-activations `[B, width]` without recurrence.
    fn advance(&self, state: &mut GatedState<L::Real>, pre: &mut [L::Real], normed: Option<Normed<'_, L::Real>>) {
        let rows = pre.len() / self.width;
        if let (Some(recurrent), Some(hidden)) = (&self.recurrent, state.fields.first()) {
            let lanes = self.lanes_of(Source::Units);
            recurrent.multiply_into(self.lanes, rows, hidden, self.gate, (&mut pre[lanes.start..], self.width));
        }
        if let Some(norm) = &self.norm {
            normalize(self.lanes, self.spec.gates() * self.spec.hidden, norm, pre, normed);
        }
        match &mut state.fields[..] {
            [hidden, memory] => lstm(self.lanes, self.gate, pre, memory, hidden),
            [hidden] if self.spec.is_gated() => gru(self.lanes, self.gate, pre, hidden),
            [hidden] => {
                hidden.copy_from_slice(pre);
                activate(self.lanes, Activation::Tanh, hidden);
            }
            _ => activate(self.lanes, self.activation(), pre),
        }
    }

    /// The nonlinearity of a layer without gates.
    pub fn activation(&self) -> Activation {
        match self.spec.kind {
            GatedKind::Mlp(activation) => activation,
            GatedKind::Rnn | GatedKind::Lstm | GatedKind::Gru => Activation::Tanh,
        }
    }

    /// Runs a block.
    pub fn run(&self, sequence: Sequence<'_, L::Real>, tape: bool) -> Option<GatedTape<L::Real>> {
        let Sequence { extent: Extent { steps, batch }, x, resets, start, end, hidden } = sequence;
        let (input, size, len, units) = (self.spec.input, self.spec.hidden, batch * self.width, batch * self.gate);
        let chunk = self.chunk(sequence.extent);
        let mut state = GatedState::new(self, batch);
        state.load(start);
        let mut tape = tape.then(|| GatedTape {
            start: state.fields.first().map_or(Vec::new(), |hidden| hidden.to_vec()),
            units: self.spec.is_gated().then(|| UnitTape {
                gates: self.pool.lease(steps * len),
                memory: self.pool.lease(steps * units),
                normed: self.norm.is_some().then(|| (self.pool.lease(steps * len), self.pool.lease(steps * batch))),
            }),
        });
        let mut scratch = None;
        let (buffer, mut memories, mut normed) = match tape.as_mut().and_then(|tape| tape.units.as_mut()) {
            Some(UnitTape { gates, memory, normed }) => (&mut gates[..], Some(memory), normed.as_mut()),
            None => (&mut scratch.insert(self.pool.lease(chunk * len))[..], None, None),
        };
        for first in (0..steps).step_by(chunk) {
            let part = first..steps.min(first + chunk);
            // Without a tape, every chunk has the same place.
            let start = if memories.is_some() { first * len } else { 0 };
            let pre = &mut buffer[start..start + part.len() * len];
            self.project(&x[first * batch * input..part.end * batch * input], pre);
            if state.fields.is_empty() {
                activate(self.lanes, self.activation(), pre);
                copy_rows([self.gate, size], pre, &mut hidden[first * batch * size..part.end * batch * size]);
                continue;
            }
            for (t, pre) in part.zip(pre.chunks_exact_mut(len)) {
                state.reset(resets_at(resets, batch, t));
                if let (Some(memories), Some(memory)) = (&mut memories, state.fields.last()) {
                    memories[t * units..(t + 1) * units].copy_from_slice(memory);
                }
                let normed = normed.as_mut().map(|(values, deviations)| {
                    (&mut values[t * len..(t + 1) * len], &mut deviations[t * batch..(t + 1) * batch])
                });
                self.advance(&mut state, pre, normed);
                let hidden = &mut hidden[t * batch * size..(t + 1) * batch * size];
                copy_rows([self.gate, size], &state.fields[0], hidden);
            }
        }
        if let Some(end) = end {
            state.store(end);
        }
        tape
    }

    /// One step of inference.
    pub fn infer(&self, stepping: &mut GatedStepping<L::Real>, step: Step<'_, L::Real>) {
        let GatedStepping { state, work, squares } = stepping;
        let size = self.spec.hidden;
        state.reset(step.resets);
        if let Some((energy, mask)) = step.energy {
            let units = &mut work[..energy.len() / size * self.gate];
            self.energy(state, step.x, mask, squares, units);
            copy_rows([self.gate, size], units, energy);
        }
        self.project(step.x, work);
        self.advance(state, work, None);
        copy_rows([self.gate, size], state.fields.first().unwrap_or(work), step.hidden);
    }

    /// Energies `[B, gate]` of a step from x and the state before it: of a unit with all its gates.
    fn energy(
        &self,
        state: &GatedState<L::Real>,
        x: &[L::Real],
        mask: Option<&[L::Real]>,
        squares: &mut Vec<L::Real>,
        energy: &mut [L::Real],
    ) {
        let (rows, magnitudes) = (energy.len() / self.gate, self.magnitudes());
        energy.fill(L::Real::ZERO);
        masked_squares(x, mask, squares);
        magnitudes.input.multiply(self.lanes, rows, squares, self.spec.input, energy);
        if let (Some(recurrent), Some(hidden)) = (&magnitudes.recurrent, state.fields.first()) {
            masked_squares(hidden, None, squares);
            recurrent.multiply(self.lanes, rows, squares, self.gate, energy);
        }
    }
}
