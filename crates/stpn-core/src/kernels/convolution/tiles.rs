//! Products of windows and filters, in tiles whose sums stay in registers.
//!
//! Tiles at an end repeat rows before it rather than being smaller, and leave out what the last one has written.

use std::array::from_fn;

use super::geometry::Layer;
use super::weights::LayerWeights;
use crate::kernels::Real;
use crate::kernels::dense::strips;
use crate::kernels::lanes::{Lanes, Operation};

/// Scalars of the widest tile.
const WIDEST: usize = 48;

/// max(0, bias + Σ weight · input) of every output that is used.
pub(super) struct Outputs<'a, T> {
    pub layer: &'a Layer,
    pub weights: &'a LayerWeights<T>,
    pub images: usize,
    /// `[images, blocks]`
    pub blocks: &'a [T],
    /// Written at [`Layer::targets`], `out_len` scalars an image.
    pub out: &'a mut [T],
    pub out_len: usize,
}

impl<T: Real> Operation<T> for Outputs<'_, T> {
    type Output = ();

    fn run<L: Lanes<Real = T>>(mut self, lanes: L) {
        lanes.vectorize(
            #[inline(always)]
            || {
                let weights = self.weights;
                for (first, width, panel) in weights.forward.strips() {
                    match (L::GROUP >= 4, width) {
                        (true, 1) => self.strip::<L, 8, 1>(lanes, first, panel),
                        (true, 2) => self.strip::<L, 8, 2>(lanes, first, panel),
                        (true, _) => self.strip::<L, 8, 3>(lanes, first, panel),
                        (false, 1) => self.strip::<L, 4, 1>(lanes, first, panel),
                        (false, 2) => self.strip::<L, 4, 2>(lanes, first, panel),
                        (false, _) => self.strip::<L, 4, 3>(lanes, first, panel),
                    }
                }
            },
        );
    }
}

impl<T: Real> Outputs<'_, T> {
    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(&mut self, lanes: L, first: usize, panel: &[T]) {
        let layer = self.layer;
        let (places, inner) = (layer.places(), layer.inner());
        let (line, count) = (layer.columns() * layer.block(), layer.filters.count);
        let bias: [L::Vector; V] = from_fn(|v| L::vectors(&self.weights.bias)[first + v]);
        let first = first * L::WIDTH;
        let valid = (V * L::WIDTH).min(count.saturating_sub(first));
        let last = self.images * places - 1;
        for tile in (0..=last).step_by(R) {
            let at: [(usize, usize); R] = from_fn(|r| divide((tile + r).min(last), places));
            let mut sums = [bias; R];
            for row in 0..layer.reach {
                let windows: [&[T]; R] = from_fn(|r| {
                    let (image, place) = at[r];
                    &self.blocks[image * layer.blocks_len() + layer.windows[place] + row * line..][..inner]
                });
                let panel = &panel[row * inner * V * L::WIDTH..][..inner * V * L::WIDTH];
                multiply::<L, R, V>(lanes, windows, panel, &mut sums);
            }
            let zero = lanes.splat(T::ZERO);
            for (r, sums) in sums.iter().enumerate().take(last + 1 - tile) {
                let (image, place) = at[r];
                let out = &mut self.out[image * self.out_len + layer.targets[place] + first..];
                // NaN stays NaN.
                let outputs: [L::Vector; V] = from_fn(|v| lanes.select(lanes.less(sums[v], zero), zero, sums[v]));
                write::<L, V>(outputs, &mut out[..valid]);
            }
        }
    }
}

/// Adds the gradient of weights `[r·r·block, row]`.
pub(super) struct WeightGradient<'a, T> {
    pub layer: &'a Layer,
    pub images: usize,
    /// `[images, blocks]`
    pub blocks: &'a [T],
    /// Gradient of the outputs that are used, `[images, places, row]`.
    pub delta: &'a [T],
    pub sums: &'a mut [T],
}

impl<T: Real> Operation<T> for WeightGradient<'_, T> {
    type Output = ();

    fn run<L: Lanes<Real = T>>(mut self, lanes: L) {
        lanes.vectorize(
            #[inline(always)]
            || {
                let wide = L::GROUP >= 4;
                for (first, width) in strips(self.layer.row / L::WIDTH) {
                    match (self.layer.inner(), wide, width) {
                        (8.., true, 1) => self.strip::<L, 8, 1>(lanes, first),
                        (8.., true, 2) => self.strip::<L, 8, 2>(lanes, first),
                        (8.., true, _) => self.strip::<L, 8, 3>(lanes, first),
                        (4.., _, 1) => self.strip::<L, 4, 1>(lanes, first),
                        (4.., _, 2) => self.strip::<L, 4, 2>(lanes, first),
                        (4.., _, _) => self.strip::<L, 4, 3>(lanes, first),
                        (_, _, 1) => self.strip::<L, 1, 1>(lanes, first),
                        (_, _, 2) => self.strip::<L, 1, 2>(lanes, first),
                        (_, _, _) => self.strip::<L, 1, 3>(lanes, first),
                    }
                }
            },
        );
    }
}

impl<T: Real> WeightGradient<'_, T> {
    /// All scalars of a window, for the filters of V vectors.
    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(&mut self, lanes: L, first: usize) {
        let layer = self.layer;
        let (inner, row, line) = (layer.inner(), layer.row, layer.columns() * layer.block());
        for reach in 0..layer.reach {
            for tile in (0..inner).step_by(R) {
                let start = tile.min(inner - R);
                let sums = self.tile::<L, R, V>(lanes, reach * line + start, first);
                for (r, sums) in sums.iter().enumerate().skip(tile - start) {
                    let out = &mut self.sums[(reach * inner + start + r) * row + first * L::WIDTH..];
                    let out = &mut L::vectors_mut(&mut out[..V * L::WIDTH])[..V];
                    for v in 0..V {
                        out[v] = lanes.add(out[v], sums[v]);
                    }
                }
            }
        }
    }

    /// Σ input · delta over all outputs, for R scalars from `start` in a window on.
    #[inline(always)]
    fn tile<L: Lanes<Real = T>, const R: usize, const V: usize>(
        &self,
        lanes: L,
        start: usize,
        first: usize,
    ) -> [[L::Vector; V]; R] {
        let layer = self.layer;
        let (places, row, blocks_len) = (layer.places(), layer.row, layer.blocks_len());
        let mut sums = [[lanes.splat(T::ZERO); V]; R];
        let images = self.blocks.chunks_exact(blocks_len).zip(self.delta.chunks_exact(places * row));
        for (blocks, delta) in images.take(self.images) {
            for (&window, delta) in layer.windows.iter().zip(delta.chunks_exact(row)) {
                let left = &blocks[window + start..][..R];
                let right = &L::vectors(delta)[first..][..V];
                for r in 0..R {
                    let left = lanes.splat(left[r]);
                    for v in 0..V {
                        sums[r][v] = lanes.mul_add(left, right[v], sums[r][v]);
                    }
                }
            }
        }
        sums
    }
}

/// Adds the gradient of an input's blocks `[images, blocks]`, each padded to whole vectors.
pub(super) struct InputGradient<'a, T> {
    pub layer: &'a Layer,
    pub weights: &'a LayerWeights<T>,
    pub images: usize,
    /// Gradient of the outputs that are used, `[images, places, row]`.
    pub delta: &'a [T],
    pub gradient: &'a mut [T],
    /// Scalars of a padded block.
    pub padded: usize,
}

impl<T: Real> Operation<T> for InputGradient<'_, T> {
    type Output = ();

    fn run<L: Lanes<Real = T>>(mut self, lanes: L) {
        lanes.vectorize(
            #[inline(always)]
            || {
                let weights = self.weights;
                for (covered, panels) in weights.backward.iter().enumerate() {
                    for (first, width, panel) in panels.strips() {
                        match (L::GROUP >= 4, width) {
                            (true, 1) => self.strip::<L, 8, 1>(lanes, covered, first, panel),
                            (true, 2) => self.strip::<L, 8, 2>(lanes, covered, first, panel),
                            (true, _) => self.strip::<L, 8, 3>(lanes, covered, first, panel),
                            (false, 1) => self.strip::<L, 4, 1>(lanes, covered, first, panel),
                            (false, 2) => self.strip::<L, 4, 2>(lanes, covered, first, panel),
                            (false, _) => self.strip::<L, 4, 3>(lanes, covered, first, panel),
                        }
                    }
                }
            },
        );
    }
}

impl<T: Real> InputGradient<'_, T> {
    /// What all outputs give to the block `covered` of their windows, V of its vectors.
    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(
        &mut self,
        lanes: L,
        covered: usize,
        first: usize,
        panel: &[T],
    ) {
        let (layer, padded) = (self.layer, self.padded);
        let (places, block, count) = (layer.places(), layer.block(), layer.filters.count);
        let shift = (covered / layer.reach * layer.columns() + covered % layer.reach) * padded + first * L::WIDTH;
        let last = self.images * places - 1;
        for tile in (0..=last).step_by(R) {
            let deltas: [&[T]; R] = from_fn(|r| &self.delta[(tile + r).min(last) * layer.row..][..count]);
            let at: [usize; R] = from_fn(|r| {
                let (image, place) = divide((tile + r).min(last), places);
                (image * layer.blocks() + layer.windows[place] / block) * padded + shift
            });
            let mut sums: [[L::Vector; V]; R] = from_fn(|r| {
                let gradient = L::vectors(&self.gradient[at[r]..][..V * L::WIDTH]);
                from_fn(|v| gradient[v])
            });
            multiply::<L, R, V>(lanes, deltas, panel, &mut sums);
            for (r, sums) in sums.iter().enumerate().take(last + 1 - tile) {
                write::<L, V>(*sums, &mut self.gradient[at[r]..][..V * L::WIDTH]);
            }
        }
    }
}

/// Image and place.
#[inline(always)]
fn divide(number: usize, places: usize) -> (usize, usize) {
    (number / places, number % places)
}

/// Adds R rows, all of one length, times a panel of V vectors.
#[inline(always)]
fn multiply<L: Lanes, const R: usize, const V: usize>(
    lanes: L,
    rows: [&[L::Real]; R],
    panel: &[L::Real],
    sums: &mut [[L::Vector; V]; R],
) {
    let inner = rows[0].len();
    let rows: [&[L::Real]; R] = rows.map(|row| &row[..inner]);
    let panel = &L::vectors(panel).as_chunks::<V>().0[..inner];
    for k in 0..inner {
        let right = panel[k];
        for r in 0..R {
            let left = lanes.splat(rows[r][k]);
            for v in 0..V {
                sums[r][v] = lanes.mul_add(left, right[v], sums[r][v]);
            }
        }
    }
}

/// Writes as many scalars of V vectors as `out` has room for.
#[inline(always)]
fn write<L: Lanes, const V: usize>(vectors: [L::Vector; V], out: &mut [L::Real]) {
    if out.len() == V * L::WIDTH {
        return L::vectors_mut(out)[..V].copy_from_slice(&vectors);
    }
    let mut room = [L::Real::ZERO; WIDEST];
    L::vectors_mut(&mut room[..V * L::WIDTH])[..V].copy_from_slice(&vectors);
    out.copy_from_slice(&room[..out.len()]);
}
