//! The backward pass.

use std::sync::Arc;

use rayon::prelude::*;

use super::geometry::{LANES, Layer};
use super::layout::{blocks_to_delta, blocks_to_pixels, images_to_delta, pixels_to_blocks};
use super::tiles::{InputGradient, WeightGradient};
use super::weights::unpack;
use super::{Pixels, Prepared, SPAN, Tape};
use crate::kernels::Real;
use crate::kernels::aligned::{Lease, Pool};

impl<T: Real> Prepared<T> {
    /// Exact backward of the forward pass from `x` to `out` that made `tape`.
    ///
    /// `grad_out` `[N, count, H', W']` comes in; `grad_parameters` (packed) and, where given, `grad_x` `[N, C, H, W]`
    /// are overwritten.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn backward(
        &self,
        x: Pixels<'_, T>,
        out: &[T],
        tape: &Tape<T>,
        grad_out: &[T],
        grad_parameters: &mut [T],
        grad_x: Option<&mut [T]>,
    ) {
        let (images, stack) = (self.count(x), &self.stack);
        let width = stack.output().len();
        assert_eq!((out.len(), grad_out.len()), (images * width, images * width), "outputs of {images} images");
        assert_eq!(grad_parameters.len(), stack.parameters(), "packed parameters");
        let span = SPAN.next_multiple_of(stack.chunk::<T>());
        let mut grads: Vec<Option<&mut [T]>> = match grad_x {
            Some(grad_x) => grad_x.chunks_mut(span * stack.input().len()).map(Some).collect(),
            None => (0..images.div_ceil(span)).map(|_| None).collect(),
        };
        let spans: Vec<Vec<T>> = grads
            .par_iter_mut()
            .enumerate()
            .map(|(index, grad_x)| {
                let mut sums = vec![T::ZERO; stack.layers.iter().map(sums_len).sum()];
                let images = index * span..images.min((index + 1) * span);
                self.span(images, x, out, tape, grad_out, &mut sums, grad_x.as_deref_mut());
                sums
            })
            .collect();

        let mut sums = vec![T::ZERO; spans.first().map_or(0, Vec::len)];
        for span in &spans {
            sums.iter_mut().zip(span).for_each(|(sum, &part)| *sum += part);
        }
        grad_parameters.fill(T::ZERO);
        let (mut sums, mut packed) = (&sums[..], grad_parameters);
        for layer in &stack.layers {
            if sums.is_empty() {
                break;
            }
            let (own, rest) = sums.split_at(sums_len(layer));
            let (own_packed, rest_packed) = packed.split_at_mut(layer.parameters());
            let (own_weights, own_bias) = own_packed.split_at_mut(layer.weights());
            let (weights, bias) = own.split_at(own.len() - layer.row);
            unpack(layer, weights, own_weights);
            own_bias.copy_from_slice(&bias[..layer.filters.count]);
            (sums, packed) = (rest, rest_packed);
        }
    }

    /// Adds the gradients of some images to `sums`, laid out as [`sums_len`] has it, layer by layer.
    #[expect(clippy::too_many_arguments, reason = "the operands of the backward pass")]
    fn span(
        &self,
        images: std::ops::Range<usize>,
        x: Pixels<'_, T>,
        out: &[T],
        tape: &Tape<T>,
        grad_out: &[T],
        sums: &mut [T],
        mut grad_x: Option<&mut [T]>,
    ) {
        let (layers, width) = (&self.stack.layers, self.stack.output().len());
        let (pixels, chunk) = (self.stack.input().len(), self.stack.chunk::<T>().min(images.len()));
        let mut scratch = Scratch::new(layers, chunk, &self.pool);
        for first in images.clone().step_by(chunk) {
            let count = chunk.min(images.end - first);
            pixels_to_blocks(&layers[0], x.range(first * pixels..(first + count) * pixels), &mut scratch.pixels);
            let outputs = first * width..(first + count) * width;
            let last = layers.len() - 1;
            images_to_delta(&layers[last], &grad_out[outputs.clone()], &out[outputs], &mut scratch.deltas[last]);

            let mut end = sums.len();
            for (index, (layer, weights)) in layers.iter().zip(&self.weights).enumerate().rev() {
                let start = end - sums_len(layer);
                let (below, deltas) = scratch.deltas.split_at_mut(index);
                let delta = &deltas[0][..count * layer.places() * layer.row];
                let blocks = match index {
                    0 => &scratch.pixels[..],
                    _ => &tape.inputs[index - 1][first * layer.blocks_len()..(first + count) * layer.blocks_len()],
                };
                let (weight_sums, bias_sums) = sums[start..end].split_at_mut(end - start - layer.row);
                T::on_lanes(WeightGradient { layer, images: count, blocks, delta, sums: weight_sums });
                for outputs in delta.chunks_exact(layer.row) {
                    bias_sums.iter_mut().zip(outputs).for_each(|(sum, &part)| *sum += part);
                }
                end = start;

                if below.is_empty() && grad_x.is_none() {
                    break;
                }
                let padded = layer.block().next_multiple_of(LANES);
                let gradient = &mut scratch.gradient[..count * layer.blocks() * padded];
                gradient.fill(T::ZERO);
                T::on_lanes(InputGradient { layer, weights, images: count, delta, gradient, padded });
                match (below.last_mut(), &mut grad_x) {
                    (Some(below), _) => {
                        blocks_to_delta(&layers[index - 1], layer, gradient, padded, blocks, below);
                    }
                    (None, Some(grad_x)) => {
                        let start = (first - images.start) * pixels;
                        blocks_to_pixels(layer, gradient, padded, &mut grad_x[start..start + count * pixels]);
                    }
                    (None, None) => {}
                }
            }
        }
    }
}

/// Scalars of a layer's sums: those of its weights `[r·r·block, row]`, then of its biases `[row]`.
fn sums_len(layer: &Layer) -> usize {
    (layer.reach * layer.inner() + 1) * layer.row
}

/// Buffers of a chunk.
struct Scratch<T: Real> {
    /// Blocks of the first layer.
    pixels: Lease<T>,
    /// Gradient of each layer's outputs that are used; zero beyond the filters.
    deltas: Vec<Lease<T>>,
    /// Gradient of a layer's blocks.
    gradient: Lease<T>,
}

impl<T: Real> Scratch<T> {
    fn new(layers: &[Layer], chunk: usize, pool: &Arc<Pool<T>>) -> Self {
        let gradient = |layer: &Layer| layer.blocks() * layer.block().next_multiple_of(LANES);
        Self {
            pixels: pool.zeros(chunk * layers[0].blocks_len()),
            deltas: layers.iter().map(|layer| pool.zeros(chunk * layer.places() * layer.row)).collect(),
            gradient: pool.lease(chunk * layers.iter().map(gradient).max().unwrap_or(0)),
        }
    }
}
