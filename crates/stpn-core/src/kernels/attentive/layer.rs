//! Parameters in the kernel's layout.

use std::sync::Arc;

use super::spec::AttentiveSpec;
use crate::kernels::Real;
use crate::kernels::aligned::{Aligned, Pool};
use crate::kernels::dense::Projection;
use crate::kernels::fast::FastLayout;
use crate::kernels::lanes::Lanes;
use crate::layout::Matrix;

/// The layer with its parameters in place.
#[derive(Debug)]
pub struct AttentiveLayer<L: Lanes> {
    pub lanes: L,
    pub spec: AttentiveSpec,
    pub pool: Arc<Pool<L::Real>>,
    pub layout: FastLayout,
    /// From inputs, with the bias.
    pub input: Projection<L::Real>,
    /// From activities, without one.
    pub recurrent: Projection<L::Real>,
    /// Layer norm: gain, offset, and 1 if there is a unit, `[3, row]`.
    pub norm: Option<Aligned<L::Real>>,
    /// What remains of F.
    pub decay: L::Real,
    /// How fast F learns.
    pub rate: L::Real,
}

impl<L: Lanes> AttentiveLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &AttentiveSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let (layout, places, size) = (FastLayout::new::<L>(spec.hidden), &spec.places, spec.hidden);
        let values = |matrix: Matrix, columns: usize| matrix.places(size, columns).map(|at| packed[at]).collect();
        let recurrent = places.weight.from_column(spec.input);
        let row = layout.row();
        let norm = places.norm.as_ref().map(|[gain, offset]| {
            let mut norm = Aligned::zeros(3 * row);
            norm[..size].copy_from_slice(&packed[gain.clone()]);
            norm[row..row + size].copy_from_slice(&packed[offset.clone()]);
            norm[2 * row..2 * row + size].fill(L::Real::ONE);
            norm
        });
        Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            layout,
            input: Projection::new::<L>(values(places.weight, spec.input), &packed[places.bias.clone()]),
            recurrent: Projection::new::<L>(values(recurrent, size), &vec![L::Real::ZERO; size]),
            norm,
            decay: L::Real::of(spec.config.decay),
            rate: L::Real::of(spec.config.rate),
        }
    }
}
