//! Parameters in the kernel's layout: gates and units on the lanes, every gate from a vector of its own on.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::spec::{GatedSpec, Source};
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Pool};
use crate::kernels::dense::{Panels, magnitude};
use crate::kernels::lanes::Lanes;
use crate::layout::Matrix;

/// A gated layer with its parameters in place.
#[derive(Debug)]
pub struct GatedLayer<L: Lanes> {
    pub lanes: L,
    pub spec: GatedSpec,
    pub pool: Arc<Pool<L::Real>>,
    /// Scalars of a slot, padded to whole vectors.
    pub gate: usize,
    /// Scalars of all slots.
    pub width: usize,
    /// `[I, lanes of inputs]`
    pub input: Panels<L::Real>,
    /// `[H, lanes of units]`
    pub recurrent: Option<Panels<L::Real>>,
    /// `[width]`
    pub bias: Aligned<L::Real>,
    /// Layer norm: gain, offset and 1 if there is a unit, `[3, width]`.
    pub norm: Option<Aligned<L::Real>>,
    packed: Vec<L::Real>,
    frames: [Frame; 2],
    input_back: OnceLock<Panels<L::Real>>,
    recurrent_back: OnceLock<Panels<L::Real>>,
    magnitudes: OnceLock<Magnitudes<L::Real>>,
}

/// Absolute weights, summed over the gates of a unit, for energies.
#[derive(Debug)]
pub struct Magnitudes<T> {
    /// `[I, gate]`
    pub input: Panels<T>,
    /// `[H, gate]`
    pub recurrent: Option<Panels<T>>,
}

impl<L: Lanes> GatedLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &GatedSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let (gates, gate, places) = (spec.gates(), spec.hidden.next_multiple_of(L::WIDTH), &spec.places);
        let frames = [Source::Input, Source::Units].map(|source| Frame::new(spec, source, gate, L::WIDTH));
        let [frame, of_units] = &frames;
        let mut bias = Aligned::zeros(spec.slots() * gate);
        for (source, range) in &places.biases {
            let frame = &frames[*source as usize];
            for (row, value) in packed[range.clone()].iter().enumerate() {
                bias[frame.first + frame.lanes[row]] += *value;
            }
        }
        let norm = places.norm.as_ref().map(|[gain, offset]| {
            let mut norm = Aligned::zeros(3 * gates * gate);
            for row in 0..gates * spec.hidden {
                let lane = frame.lanes[row];
                norm[lane] = packed[gain.start + row];
                norm[gates * gate + lane] = packed[offset.start + row];
                norm[2 * gates * gate + lane] = L::Real::ONE;
            }
            norm
        });
        Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            gate,
            width: spec.slots() * gate,
            input: frame.matrix(places.input, spec.input, packed),
            recurrent: places.recurrent.map(|place| of_units.matrix(place, spec.hidden, packed)),
            bias,
            norm,
            packed: packed.to_vec(),
            frames,
            input_back: OnceLock::new(),
            recurrent_back: OnceLock::new(),
            magnitudes: OnceLock::new(),
        }
    }

    /// The lanes of pre-activations that a source adds to.
    pub fn lanes_of(&self, source: Source) -> Range<usize> {
        let frame = self.frame(source);
        frame.first..frame.first + frame.rows.len()
    }

    fn frame(&self, source: Source) -> &Frame {
        &self.frames[source as usize]
    }

    /// The weights of inputs, transposed: `[lanes of inputs, I]`, columns padded to whole vectors.
    pub fn input_back(&self) -> &Panels<L::Real> {
        let transposed = || self.frame(Source::Input).transposed(self.spec.places.input, self.spec.input, &self.packed);
        self.input_back.get_or_init(transposed)
    }

    /// The weights of activities, transposed: `[lanes of units, H]`, columns padded to whole vectors.
    pub fn recurrent_back(&self) -> Option<&Panels<L::Real>> {
        let place = self.spec.places.recurrent?;
        let transposed = || self.frame(Source::Units).transposed(place, self.spec.hidden, &self.packed);
        Some(self.recurrent_back.get_or_init(transposed))
    }

    /// Absolute weights, summed over the gates of a unit.
    pub fn magnitudes(&self) -> &Magnitudes<L::Real> {
        self.magnitudes.get_or_init(|| Magnitudes {
            input: self.sums_of_magnitudes(self.spec.places.input, self.spec.input),
            recurrent: self.spec.places.recurrent.map(|place| self.sums_of_magnitudes(place, self.spec.hidden)),
        })
    }

    fn sums_of_magnitudes(&self, place: Matrix, columns: usize) -> Panels<L::Real> {
        let (gates, units) = (self.spec.gates(), self.spec.hidden);
        Panels::new(columns, self.gate / L::WIDTH, L::WIDTH, |column, unit| {
            let rows = (0..gates).filter(|_| unit < units).map(|gate| place.at(gate * units + unit, column));
            rows.fold(L::Real::ZERO, |sum, place| sum + magnitude(self.packed[place]))
        })
    }

    /// Writes sums `[columns, lanes of the source]` to the packed gradient of a matrix.
    pub fn unpack(&self, source: Source, place: Matrix, sums: &[L::Real], packed: &mut [L::Real]) {
        let frame = self.frame(source);
        let width = frame.rows.len();
        // Tiles: whichever way the packed matrix lies, what is written of a cache line is written together.
        let rows = self.spec.gates() * self.spec.hidden;
        for first in (0..rows).step_by(L::WIDTH) {
            for (part, sums) in sums.chunks(L::WIDTH * width).enumerate() {
                for row in first..rows.min(first + L::WIDTH) {
                    for (column, sum) in sums[frame.lanes[row]..].iter().step_by(width).enumerate() {
                        packed[place.at(row, part * L::WIDTH + column)] = *sum;
                    }
                }
            }
        }
    }

    /// Writes sums `[width]` to the packed gradient of a vector that is added with what comes from that source.
    pub fn unpack_vector(&self, source: Source, sums: &[L::Real], packed: &mut [L::Real]) {
        let frame = self.frame(source);
        for (row, place) in packed.iter_mut().enumerate() {
            *place = sums[frame.first + frame.lanes[row]];
        }
    }
}

/// Where units lie on the lanes that a source adds to. A row of the packed matrices is a unit of a gate.
#[derive(Debug)]
struct Frame {
    /// The first of those lanes.
    first: usize,
    vectors: usize,
    width: usize,
    /// The lane of every row, counted from the first.
    lanes: Vec<usize>,
    /// The row on every lane that has one.
    rows: Vec<Option<usize>>,
}

impl Frame {
    fn new(spec: &GatedSpec, source: Source, gate: usize, width: usize) -> Self {
        let (hidden, slots) = (spec.hidden, spec.slots_of(source));
        let lane = |row: usize| (spec.slot(source, row / hidden) - slots.start) * gate + row % hidden;
        let lanes: Vec<usize> = (0..spec.gates() * hidden).map(lane).collect();
        let mut rows = vec![None; slots.len() * gate];
        for (row, lane) in lanes.iter().enumerate() {
            rows[*lane] = Some(row);
        }
        Self { first: slots.start * gate, vectors: slots.len() * gate / width, width, lanes, rows }
    }

    fn matrix<T: Real>(&self, place: Matrix, columns: usize, packed: &[T]) -> Panels<T> {
        Panels::new(columns, self.vectors, self.width, |column, lane| {
            self.rows[lane].map_or(T::ZERO, |row| packed[place.at(row, column)])
        })
    }

    fn transposed<T: Real>(&self, place: Matrix, columns: usize, packed: &[T]) -> Panels<T> {
        Panels::new(self.vectors * self.width, columns.div_ceil(self.width), self.width, |lane, column| {
            let row = self.rows[lane].filter(|_| column < columns);
            row.map_or(T::ZERO, |row| packed[place.at(row, column)])
        })
    }
}
