//! Between images and blocks, and between gradients: what has to be copied between the products.
//!
//! Outputs hold their channels together, `[places, row]`; see [`Layer::targets`].

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
    // With the stride known, the copy runs on vectors.
    match layer.filters.stride {
        4 => runs_to_blocks::<V, T, 4>(layer, x, blocks, number),
        2 => runs_to_blocks::<V, T, 2>(layer, x, blocks, number),
        1 => runs_to_blocks::<V, T, 1>(layer, x, blocks, number),
        _ => each_pixel(layer, |pixel, block| {
            let images = x.chunks_exact(layer.input.len()).zip(blocks.chunks_exact_mut(layer.blocks_len()));
            images.for_each(|(image, blocks)| blocks[block] = number(image[pixel]));
        }),
    }
}

/// [`to_blocks`] for a stride that is known.
#[inline(always)]
fn runs_to_blocks<V: Copy, T: Real, const STRIDE: usize>(
    layer: &Layer,
    x: &[V],
    blocks: &mut [T],
    number: impl Fn(V) -> T + Copy,
) {
    let Image { height, width, .. } = layer.input;
    let (rows, columns) = layer.covered();
    let images = x.chunks_exact(layer.input.len()).zip(blocks.chunks_exact_mut(layer.blocks_len()));
    for (image, blocks) in images {
        for (channel, plane) in image.chunks_exact(height * width).enumerate() {
            for (y, line) in plane.chunks_exact(width).take(rows).enumerate() {
                let row = &mut blocks[layer.place(y, 0, channel)..];
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
}

/// Where each pixel that lies in a block stands in an image and among its blocks.
fn each_pixel(layer: &Layer, mut act: impl FnMut(usize, usize)) {
    let Image { channels, height, width } = layer.input;
    let (rows, columns) = layer.covered();
    for channel in 0..channels {
        for y in 0..rows {
            for x in 0..columns {
                act((channel * height + y) * width + x, layer.place(y, x, channel));
            }
        }
    }
}

/// The gradient of the first layer's blocks, each of `padded` scalars, to that of images `[n, C, H, W]`.
pub(super) fn blocks_to_pixels<T: Real>(layer: &Layer, blocks: &[T], padded: usize, x: &mut [T]) {
    x.fill(T::ZERO);
    each_pixel(layer, |pixel, block| {
        let block = block / layer.block() * padded + block % layer.block();
        let images = x.chunks_exact_mut(layer.input.len()).zip(blocks.chunks(layer.blocks() * padded));
        images.for_each(|(image, blocks)| image[pixel] = blocks[block]);
    });
}

/// The gradient of the next layer's blocks, each of `padded` scalars, to that of the outputs, where the activity in
/// those blocks was positive.
pub(super) fn blocks_to_delta<T: Real>(
    layer: &Layer,
    next: &Layer,
    gradient: &[T],
    padded: usize,
    blocks: &[T],
    delta: &mut [T],
) {
    let (count, block) = (layer.filters.count, next.block());
    let images = gradient.chunks(next.blocks() * padded).zip(blocks.chunks(next.blocks_len()));
    for ((gradient, blocks), delta) in images.zip(delta.chunks_exact_mut(layer.places() * layer.row)) {
        for (&target, delta) in layer.targets.iter().zip(delta.chunks_exact_mut(layer.row)) {
            let gradient = &gradient[target + target / block * (padded - block)..][..count];
            for ((delta, &gradient), &activity) in delta.iter_mut().zip(gradient).zip(&blocks[target..][..count]) {
                *delta = if activity > T::ZERO { gradient } else { T::ZERO };
            }
        }
    }
}

/// The last layer's outputs `[n, places, row]` as images `[n, count, H, W]`.
pub(super) fn outputs_to_images<T: Real>(layer: &Layer, outputs: &[T], out: &mut [T]) {
    let places = layer.places();
    for (outputs, out) in outputs.chunks(places * layer.row).zip(out.chunks_exact_mut(layer.output.len())) {
        for (channel, plane) in out.chunks_exact_mut(places).enumerate() {
            for (out, output) in plane.iter_mut().zip(outputs.chunks_exact(layer.row)) {
                *out = output[channel];
            }
        }
    }
}

/// The gradient of images `[n, count, H, W]` to that of the last layer's outputs, where the activity was positive.
pub(super) fn images_to_delta<T: Real>(layer: &Layer, gradient: &[T], out: &[T], delta: &mut [T]) {
    let (places, len) = (layer.places(), layer.output.len());
    let images = gradient.chunks_exact(len).zip(out.chunks_exact(len));
    for ((gradient, out), delta) in images.zip(delta.chunks_exact_mut(places * layer.row)) {
        let planes = gradient.chunks_exact(places).zip(out.chunks_exact(places));
        for (channel, (gradient, out)) in planes.enumerate() {
            let passed = gradient.iter().zip(out);
            for (delta, (&gradient, &activity)) in delta.chunks_exact_mut(layer.row).zip(passed) {
                delta[channel] = if activity > T::ZERO { gradient } else { T::ZERO };
            }
        }
    }
}
