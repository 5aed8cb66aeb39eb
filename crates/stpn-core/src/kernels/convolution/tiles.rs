//! Products of windows and filters, in tiles whose sums stay in registers.
//!
//! Tiles at an end repeat rows before it rather than being smaller, and leave out what the last one has written.

use super::geometry::Layer;
use super::weights::LayerWeights;
use crate::kernels::Real;
use crate::kernels::dense::strips;
use crate::kernels::lanes::{Lanes, Operation};

/// Scalars of the widest tile.
const WIDEST: usize = 48;

/// Work in strips of a few vectors, in tiles of a few rows of them.
trait Tiled<T: Real> {
    /// Which strip.
    type Strip;

    /// The strip's V vectors, R rows at a time.
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(&mut self, lanes: L, strip: Self::Strip);
}

/// Runs a strip of `width` vectors in tiles that the registers hold and that are no higher than `rows`.
#[inline(always)]
fn tile<L: Lanes, K: Tiled<L::Real>>(kernel: &mut K, lanes: L, rows: usize, width: usize, strip: K::Strip) {
    match (rows, L::GROUP, width) {
        (8.., 4.., 1) => kernel.strip::<L, 8, 1>(lanes, strip),
        (8.., 4.., 2) => kernel.strip::<L, 8, 2>(lanes, strip),
        (8.., 4.., _) => kernel.strip::<L, 8, 3>(lanes, strip),
        (4.., _, 1) => kernel.strip::<L, 4, 1>(lanes, strip),
        (4.., _, 2) => kernel.strip::<L, 4, 2>(lanes, strip),
        (4.., _, _) => kernel.strip::<L, 4, 3>(lanes, strip),
        (_, _, 1) => kernel.strip::<L, 1, 1>(lanes, strip),
        (_, _, 2) => kernel.strip::<L, 1, 2>(lanes, strip),
        (_, _, _) => kernel.strip::<L, 1, 3>(lanes, strip),
    }
}

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
                    tile(&mut self, lanes, usize::MAX, width, (first, panel));
                }
            },
        );
    }
}

impl<'a, T: Real> Tiled<T> for Outputs<'a, T> {
    /// First vector and panel.
    type Strip = (usize, &'a [T]);

    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(&mut self, lanes: L, (first, panel): (usize, &[T])) {
        let layer = self.layer;
        let (places, inner) = (layer.places(), layer.inner());
        let (line, count) = (layer.columns() * layer.block(), layer.filters.count);
        let mut bias = [lanes.splat(T::ZERO); V];
        bias.copy_from_slice(&L::vectors(&self.weights.bias)[first..first + V]);
        let first = first * L::WIDTH;
        let valid = (V * L::WIDTH).min(count.saturating_sub(first));
        if valid == 0 {
            // Rows are padded for the widest vectors: narrower ones come to strips without a filter.
            return;
        }
        let last = self.images * places - 1;
        for tile in (0..=last).step_by(R) {
            // Loops rather than closures, which are not inlined everywhere.
            let (mut from, mut to) = ([0; R], [0; R]);
            for r in 0..R {
                let (image, place) = divide((tile + r).min(last), places);
                from[r] = image * layer.blocks_len() + layer.windows[place];
                to[r] = image * self.out_len + layer.targets[place] + first;
            }
            let mut sums = [bias; R];
            for row in 0..layer.reach {
                let mut windows = [&self.blocks[..0]; R];
                for r in 0..R {
                    windows[r] = &self.blocks[from[r] + row * line..][..inner];
                }
                let panel = &panel[row * inner * V * L::WIDTH..][..inner * V * L::WIDTH];
                multiply::<L, R, V>(lanes, windows, panel, &mut sums);
            }
            let zero = lanes.splat(T::ZERO);
            for (sums, to) in sums.iter_mut().zip(to).take(last + 1 - tile) {
                for sum in sums.iter_mut() {
                    // NaN stays NaN.
                    *sum = lanes.select(lanes.less(*sum, zero), zero, *sum);
                }
                write::<L, V>(sums, &mut self.out[to..to + valid]);
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
                for (first, width) in strips(self.layer.row / L::WIDTH) {
                    let rows = self.layer.inner();
                    tile(&mut self, lanes, rows, width, first);
                }
            },
        );
    }
}

impl<T: Real> Tiled<T> for WeightGradient<'_, T> {
    /// First vector of filters.
    type Strip = usize;

    /// All scalars of a window.
    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(&mut self, lanes: L, first: usize) {
        let layer = self.layer;
        let (inner, row, line) = (layer.inner(), layer.row, layer.columns() * layer.block());
        for reach in 0..layer.reach {
            for tile in (0..inner).step_by(R) {
                let start = tile.min(inner - R);
                let sums = self.sums::<L, R, V>(lanes, reach * line + start, first);
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
}

impl<T: Real> WeightGradient<'_, T> {
    /// Σ input · delta over all outputs, for R scalars from `start` in a window on.
    #[inline(always)]
    fn sums<L: Lanes<Real = T>, const R: usize, const V: usize>(
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
                        tile(&mut self, lanes, usize::MAX, width, (covered, first, panel));
                    }
                }
            },
        );
    }
}

impl<'a, T: Real> Tiled<T> for InputGradient<'a, T> {
    /// Which block of a window, first vector of it and panel.
    type Strip = (usize, usize, &'a [T]);

    /// What all outputs give to that block of their windows.
    #[inline(always)]
    fn strip<L: Lanes<Real = T>, const R: usize, const V: usize>(
        &mut self,
        lanes: L,
        (covered, first, panel): (usize, usize, &[T]),
    ) {
        let (layer, padded) = (self.layer, self.padded);
        let (places, block, count) = (layer.places(), layer.block(), layer.filters.count);
        let shift = (covered / layer.reach * layer.columns() + covered % layer.reach) * padded + first * L::WIDTH;
        let last = self.images * places - 1;
        for tile in (0..=last).step_by(R) {
            let (mut deltas, mut to) = ([&self.delta[..0]; R], [0; R]);
            for r in 0..R {
                let number = (tile + r).min(last);
                let (image, place) = divide(number, places);
                deltas[r] = &self.delta[number * layer.row..][..count];
                to[r] = (image * layer.blocks() + layer.windows[place] / block) * padded + shift;
            }
            let mut sums = [[lanes.splat(T::ZERO); V]; R];
            for (sums, to) in sums.iter_mut().zip(to) {
                sums.copy_from_slice(L::vectors(&self.gradient[to..to + V * L::WIDTH]));
            }
            multiply::<L, R, V>(lanes, deltas, panel, &mut sums);
            for (sums, to) in sums.iter().zip(to).take(last + 1 - tile) {
                write::<L, V>(sums, &mut self.gradient[to..to + V * L::WIDTH]);
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
    let mut rows = rows;
    for row in &mut rows {
        *row = &row[..inner];
    }
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
fn write<L: Lanes, const V: usize>(vectors: &[L::Vector; V], out: &mut [L::Real]) {
    if out.len() == V * L::WIDTH {
        return L::vectors_mut(out)[..V].copy_from_slice(vectors);
    }
    let mut room = [L::Real::ZERO; WIDEST];
    L::vectors_mut(&mut room[..V * L::WIDTH])[..V].copy_from_slice(vectors);
    out.copy_from_slice(&room[..out.len()]);
}

#[cfg(test)]
mod tests {
    use super::super::geometry::{Filters, Image, LANES};
    use super::super::layout::{blocks_to_pixels, pixels_to_blocks};
    use super::super::weights::{LayOut, unpack};
    use super::*;
    use crate::kernels::convolution::Pixels;
    use crate::kernels::lanes::Portable;

    fn values(len: usize, seed: usize) -> Vec<f64> {
        (0..len).map(|index| ((index * 37 + seed * 53 + 11) % 101) as f64 * 0.02 - 1.0).collect()
    }

    /// All tiles on vectors that every processor has, against sums written out.
    #[test]
    fn tiles_without_a_vector_unit_are_plain_sums() {
        let lanes = Portable::<f64>::new();
        for (image, filters) in [
            (Image { channels: 2, height: 9, width: 11 }, Filters { count: 5, size: 4, stride: 2 }),
            (Image { channels: 1, height: 5, width: 4 }, Filters { count: 17, size: 3, stride: 1 }),
            (Image { channels: 3, height: 4, width: 4 }, Filters { count: 41, size: 1, stride: 1 }),
        ] {
            let layer = &Layer::stack(image, &[filters]).expect("fits")[0];
            let (images, size, stride) = (3, filters.size, filters.stride);
            let parameters = values(layer.parameters(), 1);
            let (weights, bias) = parameters.split_at(layer.weights());
            let x = values(images * image.len(), 2);
            let mut blocks = vec![0.0; images * layer.blocks_len()];
            pixels_to_blocks(layer, Pixels::Values(&x), &mut blocks);
            let laid_out = LayOut { layer, parameters: &parameters }.run(lanes);
            let delta = values(images * layer.places() * layer.row, 3);

            let out_len = layer.places() * layer.row;
            let mut out = vec![0.0; images * out_len];
            Outputs { layer, weights: &laid_out, images, blocks: &blocks, out: &mut out, out_len }.run(lanes);
            let mut sums = vec![0.0; layer.reach * layer.inner() * layer.row];
            WeightGradient { layer, images, blocks: &blocks, delta: &delta, sums: &mut sums }.run(lanes);
            let mut grad_weights = vec![0.0; layer.weights()];
            unpack(layer, &sums, &mut grad_weights);
            let padded = layer.block().next_multiple_of(LANES);
            let mut gradient = vec![0.0; images * layer.blocks() * padded];
            InputGradient { layer, weights: &laid_out, images, delta: &delta, gradient: &mut gradient, padded }
                .run(lanes);
            let mut grad_x = vec![0.0; x.len()];
            blocks_to_pixels(layer, &gradient, padded, &mut grad_x);

            let (mut want_weights, mut want_x) = (vec![0.0; weights.len()], vec![0.0; x.len()]);
            for number in 0..images * layer.places() {
                let (index, place) = divide(number, layer.places());
                let (top, left) = (place / layer.output.width * stride, place % layer.output.width * stride);
                for filter in 0..filters.count {
                    let (mut sum, delta) = (bias[filter], delta[number * layer.row + filter]);
                    for covered in 0..image.channels * size * size {
                        let (channel, y, x_) = (covered / size / size, covered / size % size, covered % size);
                        let pixel = index * image.len() + (channel * image.height + top + y) * image.width + left + x_;
                        let weight = filter * image.channels * size * size + covered;
                        sum += weights[weight] * x[pixel];
                        want_weights[weight] += delta * x[pixel];
                        want_x[pixel] += delta * weights[weight];
                    }
                    assert!((out[number * layer.row + filter] - sum.max(0.0)).abs() < 1e-12, "{filters:?}: {number}");
                }
            }
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(close(&grad_weights, &want_weights), "{filters:?}: weights");
            assert!(close(&grad_x, &want_x), "{filters:?}: input");
        }
    }
}
