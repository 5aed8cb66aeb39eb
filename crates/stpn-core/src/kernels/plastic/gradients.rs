//! Sums of the parameters' gradients in the passes' own layout, and their way back to the packed one.

use super::weights::{ENTRY, Neuron, Weights};
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;

/// Per-neuron parameters and where their sums lie.
pub const NEURON_SUMS: [Neuron; 5] =
    [Neuron::Bias, Neuron::Gain, Neuron::Offset, Neuron::BiasLambda, Neuron::BiasGamma];

/// Columns that are unpacked together: few enough that their sums stay in the first-level cache from neuron to neuron.
const TILE: usize = 64;

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
        let (places, spec) = (&weights.spec.places, &weights.spec);
        let (hidden, plastic) = (spec.hidden, spec.plastic());
        let mut lambda = vec![0.0; if spec.direct_rates() { 0 } else { places.lambda.len() }];
        let mut gamma = lambda.clone();
        for first in (0..self.width).step_by(TILE) {
            let columns = first..self.width.min(first + TILE);
            for neuron in 0..hidden {
                let (block, lane) = (neuron / L::WIDTH, neuron % L::WIDTH);
                // The sums of parameter `which` of this neuron, column by column.
                let sums = |which: usize, from: usize| {
                    let start = ((block * self.width + from) * ENTRY + which) * L::WIDTH + lane;
                    self.table[start..].iter().step_by(ENTRY * L::WIDTH)
                };
                let row = places.weight.start + neuron * self.width;
                let weight = packed[row + columns.start..row + columns.end].iter_mut();
                weight.zip(sums(0, columns.start)).for_each(|(to, from)| *to = *from);
                let columns = columns.start.max(plastic.start)..columns.end.min(plastic.end);
                if columns.is_empty() {
                    continue;
                }
                if spec.direct_rates() {
                    for (range, which) in [(&places.lambda, 1), (&places.gamma, 2)] {
                        let row = range.start + neuron * plastic.len() + columns.start - plastic.start;
                        let rates = packed[row..row + columns.len()].iter_mut();
                        rates.zip(sums(which, columns.start)).for_each(|(to, from)| *to = *from);
                    }
                    continue;
                }
                let rates = sums(1, columns.start).zip(sums(2, columns.start));
                for (column, (to_lambda, to_gamma)) in columns.zip(rates) {
                    let effective = [to_lambda.wide(), to_gamma.wide()];
                    weights.add_rate_gradient(neuron, column, effective, [&mut lambda, &mut gamma]);
                }
            }
        }
        for (range, sums) in [(&places.lambda, lambda), (&places.gamma, gamma)] {
            for (packed, sum) in packed[range.clone()].iter_mut().zip(sums) {
                *packed = L::Real::of(sum);
            }
        }
        let given = [&places.bias, &places.gain, &places.offset, &places.bias_lambda, &places.bias_gamma];
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
