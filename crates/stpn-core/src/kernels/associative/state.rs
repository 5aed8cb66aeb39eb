//! The state of a block in the kernel's layout.

use super::layer::AssociativeLayer;
use crate::kernels::Real;
use crate::kernels::aligned::Lease;
use crate::kernels::lanes::Lanes;
use crate::kernels::layer::marked;

/// Matrices, and what a step works in.
#[derive(Debug)]
pub struct AssociativeState<T: Real> {
    pub batch: usize,
    /// F.
    pub fast: Lease<T>,
    /// What inputs make, `[B, width]`.
    pub made: Lease<T>,
    /// What F gives, `[B, 3·row]`.
    pub given: Lease<T>,
    /// Activities, `[B, row]`.
    pub hidden: Lease<T>,
    /// Energies of the rows, `[B, width]`.
    pub energy: Lease<T>,
    /// Squares of inputs.
    pub squares: Vec<T>,
}

impl<T: Real> AssociativeState<T> {
    /// Zeros.
    pub fn new<L: Lanes<Real = T>>(layer: &AssociativeLayer<L>, batch: usize) -> Self {
        let zeros = |len: usize| layer.pool.zeros(batch * len);
        Self {
            batch,
            fast: zeros(layer.layout.matrix()),
            made: zeros(layer.width),
            given: zeros(3 * layer.layout.row()),
            hidden: zeros(layer.layout.row()),
            energy: zeros(layer.width),
            squares: Vec::new(),
        }
    }
}

impl<L: Lanes> AssociativeLayer<L> {
    /// Zeroes the matrices of the elements that `resets` marks.
    pub fn reset(&self, batch: usize, resets: Option<&[u8]>, fast: &mut [L::Real]) {
        for element in marked(resets) {
            self.layout.clear(batch, element, fast);
        }
    }
}
