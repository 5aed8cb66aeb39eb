//! The backward pass.

use rayon::prelude::*;

use super::geometry::Layer;
use super::layout::{blocks_to_grid, blocks_to_pixels, images_to_grid, pixels_to_blocks};
use super::weights::{LayerWeights, unpack};
use super::{Pixels, Prepared, SPAN, Tape};
use crate::kernels::Real;
use crate::kernels::aligned::{Lease, Pool};
use crate::kernels::matrix::{Matrix, multiply};

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
                let mut sums = vec![T::ZERO; self.weights.iter().map(|w| w.forward.len() + w.bias.len()).sum()];
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
        for (layer, weights) in stack.layers.iter().zip(&self.weights) {
            if sums.is_empty() {
                break;
            }
            let (own, rest) = sums.split_at(weights.forward.len() + weights.bias.len());
            let (own_packed, rest_packed) = packed.split_at_mut(layer.parameters());
            let (own_weights, own_bias) = own_packed.split_at_mut(layer.weights());
            unpack(layer, &own[..weights.forward.len()], own_weights);
            own_bias.copy_from_slice(&own[weights.forward.len()..]);
            (sums, packed) = (rest, rest_packed);
        }
    }

    /// Adds the gradients of some images to `sums`: for each layer those of [`LayerWeights::forward`], then of biases.
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
            let grid = &mut scratch.grids[last][layers[last].lead()..];
            images_to_grid(&layers[last], &grad_out[outputs.clone()], &out[outputs], grid);

            let mut end = sums.len();
            for (index, (layer, weights)) in layers.iter().zip(&self.weights).enumerate().rev() {
                let start = end - weights.forward.len() - weights.bias.len();
                let (below, grids) = scratch.grids.split_at_mut(index);
                let grid = &grids[0];
                let input = match index {
                    0 => &scratch.pixels[..],
                    _ => &tape.inputs[index - 1][first * layer.blocks_len()..(first + count) * layer.blocks_len()],
                };
                add_gradients(layer, count, input, &grid[layer.lead()..], &mut sums[start..end]);
                end = start;
                match (below.last_mut(), &mut grad_x) {
                    (Some(below), _) => {
                        let gradient = &mut scratch.gradient[..count * layer.blocks_len()];
                        input_gradient(layer, weights, count, grid, gradient);
                        let previous = &layers[index - 1];
                        blocks_to_grid(previous, layer, gradient, input, &mut below[previous.lead()..]);
                    }
                    (None, Some(grad_x)) => {
                        let gradient = &mut scratch.gradient[..count * layer.blocks_len()];
                        input_gradient(layer, weights, count, grid, gradient);
                        let start = (first - images.start) * pixels;
                        blocks_to_pixels(layer, gradient, &mut grad_x[start..start + count * pixels]);
                    }
                    (None, None) => {}
                }
            }
        }
    }
}

impl Layer {
    /// Scalars of zeros before a grid: what filters see that begin before the first image.
    fn lead(&self) -> usize {
        (self.reach - 1) * (self.columns() + 1) * self.filters.count
    }
}

/// Buffers of a chunk.
struct Scratch<T: Real> {
    /// Blocks of the first layer.
    pixels: Lease<T>,
    /// Gradient of a layer's output on its grid, after [`Layer::lead`] zeros.
    grids: Vec<Lease<T>>,
    /// Gradient of a layer's blocks.
    gradient: Lease<T>,
}

impl<T: Real> Scratch<T> {
    fn new(layers: &[Layer], chunk: usize, pool: &std::sync::Arc<Pool<T>>) -> Self {
        let zeros = |len| {
            let mut buffer = pool.lease(len);
            buffer.fill(T::ZERO);
            buffer
        };
        Self {
            pixels: zeros(chunk * layers[0].blocks_len()),
            grids: layers.iter().map(|layer| zeros(layer.lead() + chunk * layer.grid_len())).collect(),
            gradient: pool.lease(chunk * layers.iter().map(Layer::blocks_len).max().unwrap_or(0)),
        }
    }
}

/// Adds the gradients of weights and biases, from the inputs' blocks and the gradient on the grid.
fn add_gradients<T: Real>(layer: &Layer, images: usize, blocks: &[T], grid: &[T], sums: &mut [T]) {
    let (places, inner, count) = (layer.places(images), layer.reach * layer.block(), layer.filters.count);
    let (weights, bias) = sums.split_at_mut(sums.len() - count);
    for (row, weights) in weights.chunks_exact_mut(inner * count).enumerate() {
        let values = &blocks[row * layer.columns() * layer.block()..];
        let left = Matrix { values, row: 1, column: layer.block() };
        multiply([inner, places, count], left, Matrix { values: grid, row: count, column: 1 }, weights, true);
    }
    for outputs in grid[..places * count].chunks_exact(count) {
        bias.iter_mut().zip(outputs).for_each(|(sum, &part)| *sum += part);
    }
}

/// The gradient of the inputs' blocks, from that on the grid with its leading zeros.
fn input_gradient<T: Real>(layer: &Layer, weights: &LayerWeights<T>, images: usize, grid: &[T], gradient: &mut [T]) {
    let (reach, count, block) = (layer.reach, layer.filters.count, layer.block());
    for (row, weights) in weights.backward.chunks_exact(reach * count * block).enumerate() {
        // A filter `row` rows of blocks above, and up to `reach − 1` blocks to the left, has seen this block.
        let values = &grid[(reach - 1 - row) * layer.columns() * count..];
        let left = Matrix { values, row: count, column: 1 };
        let right = Matrix { values: weights, row: block, column: 1 };
        multiply([images * layer.blocks(), reach * count, block], left, right, gradient, row > 0);
    }
}
