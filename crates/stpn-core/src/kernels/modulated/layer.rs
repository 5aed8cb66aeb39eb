//! Parameters in the kernel's layout.

use std::sync::Arc;

use super::spec::ModulatedSpec;
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Pool};
use crate::kernels::dense::Projection;
use crate::kernels::fast::FastLayout;
use crate::kernels::lanes::Lanes;

/// Vectors of the table for one synapse: W and α.
pub const ENTRY: usize = 2;

/// The layer with its parameters in place.
#[derive(Debug)]
pub struct ModulatedLayer<L: Lanes> {
    pub lanes: L,
    pub spec: ModulatedSpec,
    pub pool: Arc<Pool<L::Real>>,
    pub layout: FastLayout,
    /// From inputs to pre-activations.
    pub input: Projection<L::Real>,
    /// W and α, `[blocks, H, ENTRY]` of vectors.
    pub table: Aligned<L::Real>,
    /// η; of use where the modulation has one.
    pub eta: L::Real,
    /// Weights `[row]` and bias of the modulator.
    pub modulator: Option<(Aligned<L::Real>, L::Real)>,
}

impl<L: Lanes> ModulatedLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &ModulatedSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let (layout, places, size) = (FastLayout::new::<L>(spec.hidden), &spec.places, spec.hidden);
        let mut table = Aligned::zeros(layout.matrix() * ENTRY);
        for post in 0..size {
            for pre in 0..size {
                let entry = (post / L::WIDTH * size + pre) * ENTRY * L::WIDTH + post % L::WIDTH;
                table[entry] = packed[places.weight.at(post, pre)];
                table[entry + L::WIDTH] = packed[places.alpha.at(post, pre)];
            }
        }
        let from_input = places.input.places(size, spec.input).map(|at| packed[at]).collect();
        let modulator = places.modulator.as_ref().map(|(weights, bias)| {
            let mut row = Aligned::zeros(layout.row());
            row[..size].copy_from_slice(&packed[weights.clone()]);
            (row, packed[*bias])
        });
        Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            layout,
            input: Projection::new::<L>(from_input, &packed[places.bias.clone()]),
            table,
            eta: places.eta.map_or(L::Real::ZERO, |place| packed[place]),
            modulator,
        }
    }
}
