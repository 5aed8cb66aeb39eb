//! Parameters laid out for the passes: blocks of neurons, one neuron a lane.
//!
//! The table holds for each block of [`Lanes::WIDTH`] neurons and each presynaptic column three vectors, W, λ and γ,
//! next to one another: a pass reads it front to back. Missing neurons of the last block, and λ and γ of columns
//! without fast weights, are zero, which keeps everything that belongs to them zero.

use std::sync::Arc;

use rayon::prelude::*;

use super::spec::PlasticSpec;
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Pool};
use crate::kernels::lanes::Lanes;
use crate::options::Granularity;

/// Vectors of a table entry.
pub const ENTRY: usize = 3;

/// Columns whose entries are filled together.
const PART: usize = 16;

/// Synapses from which on several threads fill the table.
const WORTH_A_THREAD: usize = 1 << 15;

/// Per-neuron vectors, in their order in [`Weights::neurons`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neuron {
    /// Bias of the pre-activation.
    Bias,
    /// ‖W‖² of the neuron's row.
    Square,
    /// Layer normalisation's gain.
    Gain,
    /// Layer normalisation's offset.
    Offset,
    /// Decay of the plastic bias.
    BiasLambda,
    /// Rate of the plastic bias.
    BiasGamma,
    /// 1 for neurons that exist.
    Exists,
}

/// Number of [`Neuron`] vectors.
const NEURON_VECTORS: usize = 7;

/// A plastic layer with its parameters in place.
#[derive(Debug)]
pub struct Weights<L: Lanes> {
    /// The instruction set.
    pub lanes: L,
    /// What is computed.
    pub spec: PlasticSpec,
    /// Where scratch memory comes from.
    pub pool: Arc<Pool<L::Real>>,
    /// Blocks of neurons.
    pub blocks: usize,
    /// Presynaptic columns D.
    pub width: usize,
    table: Aligned<L::Real>,
    neurons: Aligned<L::Real>,
    /// λ and γ as the spec has them, for the gradient of derived rates.
    rates: [Vec<L::Real>; 2],
}

impl<L: Lanes> Weights<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &PlasticSpec, parameters: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let places = &spec.places;
        assert_eq!(parameters.len(), places.len, "packed parameters");
        let (blocks, width) = (spec.hidden.div_ceil(L::WIDTH), spec.width());
        let rates = [&places.lambda, &places.gamma].map(|range| parameters[range.clone()].to_vec());
        let mut weights = Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            blocks,
            width,
            table: Aligned::zeros(blocks * width * ENTRY * L::WIDTH),
            neurons: Aligned::zeros(NEURON_VECTORS * blocks * L::WIDTH),
            rates,
        };
        weights.fill_table(parameters);
        weights.fill_neurons(parameters);
        weights
    }

    fn fill_table(&mut self, parameters: &[L::Real]) {
        let mut table = std::mem::replace(&mut self.table, Aligned::zeros(0));
        let weight = &parameters[self.spec.places.weight.clone()];
        let len = self.width * ENTRY * L::WIDTH;
        let fill = |(block, entries): (usize, &mut [L::Real])| self.fill_block(block, weight, entries);
        match self.spec.hidden * self.width < WORTH_A_THREAD {
            true => table.chunks_mut(len).enumerate().for_each(fill),
            false => table.par_chunks_mut(len).enumerate().for_each(fill),
        }
        self.table = table;
    }

    fn fill_block(&self, block: usize, weight: &[L::Real], entries: &mut [L::Real]) {
        let (width, plastic) = (self.width, self.spec.plastic());
        let neurons = block * L::WIDTH..self.spec.hidden.min((block + 1) * L::WIDTH);
        // Some columns at a time: their entries stay in the cache from neuron to neuron.
        for (part, entries) in entries.chunks_mut(PART * ENTRY * L::WIDTH).enumerate() {
            for (lane, neuron) in neurons.clone().enumerate() {
                for (column, entry) in entries.chunks_exact_mut(ENTRY * L::WIDTH).enumerate() {
                    let column = part * PART + column;
                    entry[lane] = weight[neuron * width + column];
                    if plastic.contains(&column) {
                        let [lambda, gamma] = self.effective_rates(neuron, column);
                        entry[L::WIDTH + lane] = lambda;
                        entry[2 * L::WIDTH + lane] = gamma;
                    }
                }
            }
        }
    }

    fn fill_neurons(&mut self, parameters: &[L::Real]) {
        let places = self.spec.places.clone();
        let (hidden, width) = (self.spec.hidden, self.width);
        let weight = &parameters[places.weight];
        let square = |row: &[L::Real]| L::Real::of(row.iter().map(|w| w.wide().powi(2)).sum());
        let squares: Vec<L::Real> = weight.chunks(width).map(square).collect();
        let mut set = |which: Neuron, values: &[L::Real]| {
            let start = which as usize * self.blocks * L::WIDTH;
            for neuron in 0..hidden {
                self.neurons[start + neuron] = values[neuron % values.len()];
            }
        };
        set(Neuron::Square, &squares);
        set(Neuron::Exists, &[L::Real::ONE]);
        let given = [
            (Neuron::Bias, places.bias),
            (Neuron::Gain, places.gain),
            (Neuron::Offset, places.offset),
            (Neuron::BiasLambda, places.bias_lambda),
            (Neuron::BiasGamma, places.bias_gamma),
        ];
        for (which, range) in given {
            if let Some(range) = range {
                set(which, &parameters[range]);
            }
        }
    }

    /// Index of the rates of a synapse in the packed λ or γ.
    fn rate_index(&self, neuron: usize, column: usize) -> usize {
        let plastic = self.spec.plastic();
        match self.spec.config.granularity {
            Granularity::Synapse => neuron * plastic.len() + column - plastic.start,
            Granularity::Presynaptic => column - plastic.start,
            Granularity::Scalar => 0,
        }
    }

    /// λ and γ of a synapse with which `Φ = λ·F̂ + γ·h·z` holds for all options.
    fn effective_rates(&self, neuron: usize, column: usize) -> [L::Real; 2] {
        let [lambda, gamma] = self.rates(neuron, column);
        if self.spec.hebbff {
            [L::Real::of(logistic(lambda)), L::Real::of(-gamma.wide().exp())]
        } else if self.spec.decay_all() {
            [lambda, lambda * gamma]
        } else {
            [lambda, gamma]
        }
    }

    /// Adds the gradients of a synapse's effective λ and γ to those of the λ and γ that are the parameters.
    pub fn add_rate_gradient(&self, neuron: usize, column: usize, effective: [f64; 2], gradient: [&mut [f64]; 2]) {
        let index = self.rate_index(neuron, column);
        let [lambda, gamma] = self.rates(neuron, column);
        let [to_lambda, to_gamma] = effective;
        let (to_lambda, to_gamma) = if self.spec.hebbff {
            let sigmoid = logistic(lambda);
            (to_lambda * sigmoid * (1.0 - sigmoid), -to_gamma * gamma.wide().exp())
        } else if self.spec.decay_all() {
            (to_lambda + to_gamma * gamma.wide(), to_gamma * lambda.wide())
        } else {
            (to_lambda, to_gamma)
        };
        gradient[0][index] += to_lambda;
        gradient[1][index] += to_gamma;
    }

    /// λ and γ of a synapse as they are parameters.
    fn rates(&self, neuron: usize, column: usize) -> [L::Real; 2] {
        let index = self.rate_index(neuron, column);
        [self.rates[0][index], self.rates[1][index]]
    }

    /// The table's entries of a block: W, λ, γ for each column.
    #[inline(always)]
    pub fn entries(&self, block: usize) -> &[[L::Vector; ENTRY]] {
        let len = self.width * ENTRY * L::WIDTH;
        L::vectors(&self.table[block * len..(block + 1) * len]).as_chunks().0
    }

    /// A per-neuron vector of a block.
    #[inline(always)]
    pub fn neuron(&self, which: Neuron, block: usize) -> L::Vector {
        let start = (which as usize * self.blocks + block) * L::WIDTH;
        L::vectors(&self.neurons[start..start + L::WIDTH])[0]
    }
}

fn logistic<T: Real>(value: T) -> f64 {
    1.0 / (1.0 + (-value.wide()).exp())
}
