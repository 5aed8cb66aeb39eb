//! A layer's weights, laid out for tiles.

use super::geometry::Layer;
use crate::kernels::Real;
use crate::kernels::aligned::Aligned;
use crate::kernels::dense::Panels;
use crate::kernels::lanes::{Lanes, Operation};

/// The parameters of one layer.
#[derive(Debug)]
pub(super) struct LayerWeights<T> {
    /// `[r·r·block, row]`: for each scalar that a filter covers, row of blocks by row of blocks, all filters.
    pub forward: Panels<T>,
    /// For each block that a filter covers `[count, block]`, the block padded to whole vectors.
    pub backward: Vec<Panels<T>>,
    /// `[row]`
    pub bias: Aligned<T>,
}

/// Lays out weights `[count, C, k, k]` and biases `[count]`.
pub(super) struct LayOut<'a, T> {
    pub layer: &'a Layer,
    pub parameters: &'a [T],
}

impl<T: Real> Operation<T> for LayOut<'_, T> {
    type Output = LayerWeights<T>;

    fn run<L: Lanes<Real = T>>(self, _: L) -> LayerWeights<T> {
        let Self { layer, parameters } = self;
        let (weights, biases) = parameters.split_at(layer.weights());
        let (block, count, reach) = (layer.block(), layer.filters.count, layer.reach);
        let mut table = vec![T::ZERO; reach * reach * block * count];
        each(layer, |place, scalar, filter| table[scalar * count + filter] = weights[place]);
        let weight = |scalar: usize, filter: usize| table[scalar * count + filter];

        let filters = layer.row / L::WIDTH;
        let forward = Panels::new(reach * reach * block, filters, L::WIDTH, |scalar, filter| {
            if filter < count { weight(scalar, filter) } else { T::ZERO }
        });
        let backward = (0..reach * reach).map(|covered| {
            Panels::new(count, block.div_ceil(L::WIDTH), L::WIDTH, |filter, scalar| {
                if scalar < block { weight(covered * block + scalar, filter) } else { T::ZERO }
            })
        });
        let mut bias = Aligned::zeros(layer.row);
        bias[..count].copy_from_slice(biases);
        LayerWeights { forward, backward: backward.collect(), bias }
    }
}

/// Puts gradients `[r·r·block, row]` back to `[count, C, k, k]`.
pub(super) fn unpack<T: Real>(layer: &Layer, gradient: &[T], weights: &mut [T]) {
    each(layer, |place, scalar, filter| weights[place] = gradient[scalar * layer.row + filter]);
}

/// Every weight: its index in `[count, C, k, k]`, the scalar it acts on among those that a filter covers, its filter.
fn each(layer: &Layer, mut act: impl FnMut(usize, usize, usize)) {
    let (channels, size, stride) = (layer.input.channels, layer.filters.size, layer.filters.stride);
    let mut place = 0;
    for filter in 0..layer.filters.count {
        for channel in 0..channels {
            for y in 0..size {
                for x in 0..size {
                    let covered = y / stride * layer.reach + x / stride;
                    act(place, covered * layer.block() + layer.scalar(y % stride, x % stride, channel), filter);
                    place += 1;
                }
            }
        }
    }
}
