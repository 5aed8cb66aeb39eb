//! Between images, blocks and grids: what has to be copied between the products.
//!
//! Grids hold the channels of an output together, `[places, count]`; see [`Layer::blocks`].

use super::Pixels;
use super::geometry::{Image, Layer};
use crate::kernels::Real;

/// Images `[n, C, H, W]` to the blocks of the first layer; what lies outside of an image must be zero already.
pub(super) fn pixels_to_blocks<T: Real>(layer: &Layer, x: Pixels<'_, T>, blocks: &mut [T]) {
    match x {
        Pixels::Values(values) => to_blocks(layer, values, blocks, |value| value),
        Pixels::Bytes { bytes, factor, summand } => {
            // Not `mul_add`: elsewhere bytes are scaled with two roundings, and both must agree.
            to_blocks(layer, bytes, blocks, |byte| T::of_byte(byte) * factor + summand);
        }
    }
}

#[inline(always)]
fn to_blocks<V: Copy, T: Real>(layer: &Layer, x: &[V], blocks: &mut [T], number: impl Fn(V) -> T + Copy) {
    match (layer.filters.stride, layer.input.channels) {
        // With the innermost extents known, the copy runs on vectors.
        (4, 1) => fixed_to_blocks::<V, T, 4>(layer, x, blocks, number),
        (2, 1) => fixed_to_blocks::<V, T, 2>(layer, x, blocks, number),
        _ => {
            let Image { height, width, .. } = layer.input;
            let (rows, columns) = layer.covered();
            let images = x.chunks_exact(layer.input.len()).zip(blocks.chunks_exact_mut(layer.blocks_len()));
            for (image, blocks) in images {
                for (channel, plane) in image.chunks_exact(height * width).enumerate() {
                    for (y, line) in plane.chunks_exact(width).take(rows).enumerate() {
                        for (x, &value) in line[..columns].iter().enumerate() {
                            blocks[layer.place(y, x) + channel] = number(value);
                        }
                    }
                }
            }
        }
    }
}

/// The case of one channel and a stride that is known.
#[inline(always)]
fn fixed_to_blocks<V: Copy, T: Real, const STRIDE: usize>(
    layer: &Layer,
    x: &[V],
    blocks: &mut [T],
    number: impl Fn(V) -> T + Copy,
) {
    let (rows, columns) = layer.covered();
    let images = x.chunks_exact(layer.input.len()).zip(blocks.chunks_exact_mut(layer.blocks_len()));
    for (image, blocks) in images {
        for (y, line) in image.chunks_exact(layer.input.width).take(rows).enumerate() {
            let row = &mut blocks[layer.place(y, 0)..];
            let (whole, rest) = line[..columns].as_chunks::<STRIDE>();
            for (pixels, block) in whole.iter().zip(row.chunks_mut(layer.block())) {
                for (place, pixel) in block[..STRIDE].iter_mut().zip(pixels) {
                    *place = number(*pixel);
                }
            }
            for (x, pixel) in rest.iter().enumerate() {
                row[whole.len() * layer.block() + x] = number(*pixel);
            }
        }
    }
}

/// The gradient of the first layer's blocks to that of images `[n, C, H, W]`.
pub(super) fn blocks_to_pixels<T: Real>(layer: &Layer, blocks: &[T], x: &mut [T]) {
    let Image { height, width, .. } = layer.input;
    let (rows, columns) = layer.covered();
    let images = x.chunks_exact_mut(layer.input.len()).zip(blocks.chunks_exact(layer.blocks_len()));
    for (image, blocks) in images {
        for (channel, plane) in image.chunks_exact_mut(height * width).enumerate() {
            for (y, line) in plane.chunks_exact_mut(width).enumerate() {
                for (x, value) in line.iter_mut().enumerate() {
                    let covered = y < rows && x < columns;
                    *value = if covered { blocks[layer.place(y, x) + channel] } else { T::ZERO };
                }
            }
        }
    }
}

/// The outputs of a layer that the next one sees: (place on the layer's grid, place among the next one's blocks) of
/// runs of pixels that lie together in both, and their scalars.
fn each_run(layer: &Layer, next: &Layer, mut act: impl FnMut(usize, usize, usize)) {
    let (rows, columns) = next.covered();
    let (count, stride) = (layer.filters.count, next.filters.stride);
    for y in 0..rows {
        for x in (0..columns).step_by(stride) {
            let len = stride.min(columns - x) * count;
            act((y * layer.columns() + x) * count, next.place(y, x), len);
        }
    }
}

/// max(0, grid + bias), as the blocks of the next layer; what lies outside of an image must be zero already.
pub(super) fn grid_to_blocks<T: Real>(layer: &Layer, next: &Layer, bias: &[T], grid: &[T], blocks: &mut [T]) {
    let images = grid.chunks(layer.grid_len()).zip(blocks.chunks_exact_mut(next.blocks_len()));
    for (grid, blocks) in images {
        each_run(layer, next, |from, to, len| {
            let outputs = grid[from..from + len].chunks_exact(bias.len());
            for (output, place) in outputs.zip(blocks[to..to + len].chunks_exact_mut(bias.len())) {
                for ((place, &output), &bias) in place.iter_mut().zip(output).zip(bias) {
                    *place = positive(output + bias);
                }
            }
        });
    }
}

/// The gradient of the next layer's blocks to that of the grid, where the activity was positive; what lies outside of
/// an image must be zero already.
pub(super) fn blocks_to_grid<T: Real>(layer: &Layer, next: &Layer, gradient: &[T], blocks: &[T], grid: &mut [T]) {
    let (own, others) = (layer.grid_len(), next.blocks_len());
    let images = gradient.chunks_exact(others).zip(blocks.chunks_exact(others)).zip(grid.chunks_exact_mut(own));
    for ((gradient, blocks), grid) in images {
        each_run(layer, next, |to, from, len| {
            let passed = gradient[from..from + len].iter().zip(&blocks[from..from + len]);
            for (place, (&gradient, &activity)) in grid[to..to + len].iter_mut().zip(passed) {
                *place = if activity > T::ZERO { gradient } else { T::ZERO };
            }
        });
    }
}

/// max(0, grid + bias), as images `[n, count, H, W]`.
pub(super) fn grid_to_images<T: Real>(layer: &Layer, bias: &[T], grid: &[T], out: &mut [T]) {
    let (Image { height, width, .. }, count) = (layer.output, bias.len());
    for (grid, out) in grid.chunks(layer.grid_len()).zip(out.chunks_exact_mut(layer.output.len())) {
        for y in 0..height {
            let line = &grid[y * layer.columns() * count..][..width * count];
            for (channel, &bias) in bias.iter().enumerate() {
                let out = &mut out[(channel * height + y) * width..][..width];
                for (out, output) in out.iter_mut().zip(line.chunks_exact(count)) {
                    *out = positive(output[channel] + bias);
                }
            }
        }
    }
}

/// The gradient of images `[n, count, H, W]` to that of the grid, where the activity was positive; what lies outside
/// of an image must be zero already.
pub(super) fn images_to_grid<T: Real>(layer: &Layer, gradient: &[T], out: &[T], grid: &mut [T]) {
    let (Image { height, width, channels }, len) = (layer.output, layer.output.len());
    let images = gradient.chunks_exact(len).zip(out.chunks_exact(len));
    for ((gradient, out), grid) in images.zip(grid.chunks_exact_mut(layer.grid_len())) {
        for y in 0..height {
            let line = &mut grid[y * layer.columns() * channels..][..width * channels];
            for channel in 0..channels {
                let start = (channel * height + y) * width;
                let passed = gradient[start..start + width].iter().zip(&out[start..start + width]);
                for (place, (&gradient, &activity)) in line.chunks_exact_mut(channels).zip(passed) {
                    place[channel] = if activity > T::ZERO { gradient } else { T::ZERO };
                }
            }
        }
    }
}

/// ReLU; NaN stays NaN.
#[inline(always)]
fn positive<T: Real>(value: T) -> T {
    if value < T::ZERO { T::ZERO } else { value }
}
