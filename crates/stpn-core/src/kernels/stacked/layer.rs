//! Parameters in the kernel's layout.

use std::sync::Arc;

use super::spec::StackedSpec;
use crate::kernels::aligned::Pool;
use crate::kernels::dense::Projection;
use crate::kernels::lanes::Lanes;

/// The layer with its parameters in place.
#[derive(Debug)]
pub struct StackedLayer<L: Lanes> {
    pub lanes: L,
    pub spec: StackedSpec,
    pub pool: Arc<Pool<L::Real>>,
    /// Scalars of a row of units, padded to whole vectors.
    pub row: usize,
    /// From what is seen to units.
    pub seen: Projection<L::Real>,
    /// How fast the time's features turn.
    pub frequencies: Vec<f64>,
}

impl<L: Lanes> StackedLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &StackedSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let weights = spec.weight.places(spec.hidden, spec.width()).map(|place| packed[place]).collect();
        Self {
            lanes,
            spec: spec.clone(),
            pool: Arc::clone(pool),
            row: spec.hidden.next_multiple_of(L::WIDTH),
            seen: Projection::new::<L>(weights, &packed[spec.bias.clone()]),
            frequencies: spec.config.frequencies().collect(),
        }
    }
}
