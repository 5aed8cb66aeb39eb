//! Parameters in the kernel's layout: query, key, value and direct part in rows of units, and the gates behind them.

use std::sync::Arc;

use super::spec::AssociativeSpec;
use crate::kernels::Real;
use crate::kernels::aligned::Pool;
use crate::kernels::dense::Projection;
use crate::kernels::fast::FastLayout;
use crate::kernels::lanes::Lanes;

/// The rows of units that inputs make, in the order of the packed weights.
pub const QUERY: usize = 0;
pub const KEY: usize = 1;
pub const VALUE: usize = 2;
pub const DIRECT: usize = 3;
/// How many.
pub const ROWS: usize = 4;

/// What lies behind the rows: first the pre-activations of the two gates, later these.
pub const WRITE: usize = 0;
pub const KEEP: usize = 1;
/// σ(α̃), of which the keep gate is a root.
pub const KEEP_SIGMOID: usize = 2;
/// 1/√(q·q + ε), and of the key.
pub const QUERY_SCALE: usize = 3;
pub const KEY_SCALE: usize = 4;
/// k̂·q̂
pub const MATCH: usize = 5;
/// Scalars for them.
const SCALARS: usize = 8;

/// The layer with its parameters in place.
#[derive(Debug)]
pub struct AssociativeLayer<L: Lanes> {
    pub lanes: L,
    pub spec: AssociativeSpec,
    pub pool: Arc<Pool<L::Real>>,
    pub layout: FastLayout,
    /// Scalars of what inputs make of a step of an element.
    pub width: usize,
    /// From inputs to `[width]`.
    pub input: Projection<L::Real>,
}

impl<L: Lanes> AssociativeLayer<L> {
    /// Lays out packed parameters.
    pub fn lay_out(lanes: L, spec: &AssociativeSpec, packed: &[L::Real], pool: &Arc<Pool<L::Real>>) -> Self {
        let layout = FastLayout::new::<L>(spec.hidden);
        let units = ROWS * layout.row() + SCALARS;
        let (mut weights, mut bias) = (vec![L::Real::ZERO; units * spec.input], vec![L::Real::ZERO; units]);
        for row in 0..spec.bias.len() {
            let unit = lane(spec, layout, row);
            bias[unit] = packed[spec.bias.start + row];
            for column in 0..spec.input {
                weights[unit * spec.input + column] = packed[spec.weight.at(row, column)];
            }
        }
        let input = Projection::new::<L>(weights, &bias);
        let (spec, pool) = (spec.clone(), Arc::clone(pool));
        Self { lanes, spec, pool, layout, width: units.next_multiple_of(L::WIDTH), input }
    }
}

/// The lane of a row of the packed weights.
pub fn lane(spec: &AssociativeSpec, layout: FastLayout, row: usize) -> usize {
    let (part, unit) = (row / spec.hidden, row % spec.hidden);
    if part < ROWS { part * layout.row() + unit } else { ROWS * layout.row() + row - ROWS * spec.hidden }
}
