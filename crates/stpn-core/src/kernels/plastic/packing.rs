//! Where each scalar of a packed state lies in a cohort's layout.

use super::presynaptic::Span;
use super::weights::Weights;
use crate::kernels::lanes::Lanes;

/// A scalar of the state in a cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// h: scalar in dense rows `[G, blocks, E]` of vectors.
    Hidden(usize),
    /// F: scalar in `[G, blocks, D, E]` of vectors.
    Fast(usize),
    /// Bias state: scalar in dense rows `[G, blocks, E]` of vectors.
    Bias(usize),
}

/// Calls `visit` with the index of every scalar of the packed states `[B, S]` of a cohort, and its place.
pub fn each_place<L: Lanes, const E: usize>(weights: &Weights<L>, span: Span, mut visit: impl FnMut(usize, Place)) {
    let spec = &weights.spec;
    let (blocks, width, state_len) = (weights.blocks, weights.width, spec.state_len());
    let plastic = spec.plastic();
    for group in 0..span.groups {
        for e in 0..E {
            let packed = (span.first + group * E + e) * state_len;
            for neuron in 0..spec.hidden {
                let (block, lane) = (group * blocks + neuron / L::WIDTH, neuron % L::WIDTH);
                let row = (block * E + e) * L::WIDTH + lane;
                if spec.config.recurrent {
                    visit(packed + neuron, Place::Hidden(row));
                }
                if let Some(start) = spec.bias_start() {
                    visit(packed + start + neuron, Place::Bias(row));
                }
                let fast = packed + spec.fast_start() + neuron * plastic.len();
                for (index, column) in plastic.clone().enumerate() {
                    visit(fast + index, Place::Fast(((block * width + column) * E + e) * L::WIDTH + lane));
                }
            }
        }
    }
}

/// Index of a scalar of dense rows `[G, blocks, E]` in row `row` of rows `[G, blocks, count, E]`.
pub fn in_rows<L: Lanes, const E: usize>(dense: usize, row: usize, count: usize) -> usize {
    let vectors = E * L::WIDTH;
    (dense / vectors * count + row) * vectors + dense % vectors
}
