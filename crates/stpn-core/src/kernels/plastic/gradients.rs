//! Sums of the parameters' gradients in the passes' own layout, and their way back to the packed one.

use super::weights::{ENTRY, Neuron, Weights};
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;

/// Per-neuron parameters and where their sums lie.
pub const NEURON_SUMS: [Neuron; 5] =
    [Neuron::Bias, Neuron::Gain, Neuron::Offset, Neuron::BiasLambda, Neuron::BiasGamma];

/// Gradients summed over time steps and batch elements.
#[derive(Debug)]
pub struct Gradients<L: Lanes> {
    blocks: usize,
    width: usize,
    table: Lease<L::Real>,
    neurons: Lease<L::Real>,
}

impl<L: Lanes> Gradients<L> {
    /// Zeros.
    pub fn new(weights: &Weights<L>) -> Self {
        let (blocks, width) = (weights.blocks, weights.width);
        let mut table = weights.pool.lease(blocks * width * ENTRY * L::WIDTH);
        let mut neurons = weights.pool.lease(NEURON_SUMS.len() * blocks * L::WIDTH);
        table.fill(L::Real::ZERO);
        neurons.fill(L::Real::ZERO);
        Self { blocks, width, table, neurons }
    }

    /// The sums that belong to [`Weights::entries`] of a block.
    #[inline(always)]
    pub fn entries(&mut self, block: usize) -> &mut [[L::Vector; ENTRY]] {
        let len = self.width * ENTRY * L::WIDTH;
        L::vectors_mut(&mut self.table[block * len..(block + 1) * len]).as_chunks_mut().0
    }

    /// Adds to the sum of a per-neuron parameter of a block.
    #[inline(always)]
    pub fn add(&mut self, lanes: L, which: Neuron, block: usize, value: L::Vector) {
        let row = NEURON_SUMS.iter().position(|known| *known == which).unwrap_or(0);
        let start = (row * self.blocks + block) * L::WIDTH;
        let sum = &mut L::vectors_mut(&mut self.neurons[start..start + L::WIDTH])[0];
        *sum = lanes.add(*sum, value);
    }

    /// Writes the packed gradient.
    pub fn unpack(&self, weights: &Weights<L>, packed: &mut [L::Real]) {
        let ranges = &weights.ranges;
        let (hidden, plastic) = (weights.spec.hidden, weights.spec.plastic());
        let mut lambda = vec![0.0; ranges.lambda.len()];
        let mut gamma = vec![0.0; ranges.gamma.len()];
        for neuron in 0..hidden {
            let (block, lane) = (neuron / L::WIDTH, neuron % L::WIDTH);
            for column in 0..self.width {
                let entry = (block * self.width + column) * ENTRY * L::WIDTH + lane;
                packed[ranges.weight.start + neuron * self.width + column] = self.table[entry];
                if plastic.contains(&column) {
                    let effective = [self.table[entry + L::WIDTH].wide(), self.table[entry + 2 * L::WIDTH].wide()];
                    weights.add_rate_gradient(neuron, column, effective, [&mut lambda, &mut gamma]);
                }
            }
        }
        for (range, sums) in [(&ranges.lambda, lambda), (&ranges.gamma, gamma)] {
            for (packed, sum) in packed[range.clone()].iter_mut().zip(sums) {
                *packed = L::Real::of(sum);
            }
        }
        let given = [&ranges.bias, &ranges.gain, &ranges.offset, &ranges.bias_lambda, &ranges.bias_gamma];
        for (row, range) in given.into_iter().enumerate() {
            let Some(range) = range else { continue };
            let mut sums = vec![0.0; range.len()];
            for neuron in 0..hidden {
                sums[neuron % range.len()] += self.neurons[row * self.blocks * L::WIDTH + neuron].wide();
            }
            for (packed, sum) in packed[range.clone()].iter_mut().zip(sums) {
                *packed = L::Real::of(sum);
            }
        }
    }
}
