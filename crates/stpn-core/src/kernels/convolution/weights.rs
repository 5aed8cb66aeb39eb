//! A layer's weights, laid out for products.

use super::geometry::Layer;
use crate::kernels::Real;

/// The parameters of one layer.
#[derive(Debug)]
pub(super) struct LayerWeights<T> {
    /// For each row of blocks a filter covers: `[r·block, count]`, for products with images.
    pub forward: Vec<T>,
    /// For each such row: `[r·count, block]`, blocks from right to left, for products with gradients.
    pub backward: Vec<T>,
    /// `[count]`
    pub bias: Vec<T>,
}

impl<T: Real> LayerWeights<T> {
    /// From weights `[count, C, k, k]` and biases `[count]`.
    pub fn new(layer: &Layer, parameters: &[T]) -> Self {
        let (weights, bias) = parameters.split_at(layer.weights());
        let (block, count, reach) = (layer.block(), layer.filters.count, layer.reach);
        let len = reach * reach * block * count;
        let (mut forward, mut backward) = (vec![T::ZERO; len], vec![T::ZERO; len]);
        each(layer, |place, Weight { row, column, scalar, filter }| {
            forward[((row * reach + column) * block + scalar) * count + filter] = weights[place];
            backward[((row * reach + reach - 1 - column) * count + filter) * block + scalar] = weights[place];
        });
        Self { forward, backward, bias: bias.to_vec() }
    }
}

/// Puts gradients laid out like [`LayerWeights::forward`] back to `[count, C, k, k]`.
pub(super) fn unpack<T: Real>(layer: &Layer, gradient: &[T], weights: &mut [T]) {
    let (block, count, reach) = (layer.block(), layer.filters.count, layer.reach);
    each(layer, |place, Weight { row, column, scalar, filter }| {
        weights[place] = gradient[((row * reach + column) * block + scalar) * count + filter];
    });
}

/// Where a weight acts.
struct Weight {
    /// Row of blocks below the filter's first.
    row: usize,
    /// Block to the right of the filter's first.
    column: usize,
    /// Scalar of the block.
    scalar: usize,
    filter: usize,
}

/// Every weight, by its index in `[count, C, k, k]`.
fn each(layer: &Layer, mut act: impl FnMut(usize, Weight)) {
    let (channels, size, stride) = (layer.input.channels, layer.filters.size, layer.filters.stride);
    let mut place = 0;
    for filter in 0..layer.filters.count {
        for channel in 0..channels {
            for y in 0..size {
                for x in 0..size {
                    let scalar = (y % stride * stride + x % stride) * channels + channel;
                    act(place, Weight { row: y / stride, column: x / stride, scalar, filter });
                    place += 1;
                }
            }
        }
    }
}
