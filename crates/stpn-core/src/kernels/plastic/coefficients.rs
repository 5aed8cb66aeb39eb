//! What a backward pass reads and makes for each block of neurons: factors and row sums, of E batch elements each.
//!
//! The names are those of `docs/backward.md`.

use crate::kernels::lanes::Lanes;

/// Factors of the pass of a step. All are derived from the row sums that the pass of the step after left.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Coefficients<V, const E: usize> {
    /// Scale s of Φ after the step: F = s·Φ.
    pub scale_after: [V; E],
    /// Factor of W + Φ in the gradient of Φ after the step: the derivative of s.
    pub norm_after: [V; E],
    /// What W + Φ is multiplied by before that: 1, or, where ‖W + Φ‖ is large, its inverse.
    pub unit_after: [V; E],
    /// 1/n of the normalisation before the update, or 1.
    pub ratio: [V; E],
    /// Scale s of Φ before the step.
    pub scale: [V; E],
    /// Activity h.
    pub hidden: [V; E],
    /// Gradient of the product G·z.
    pub product: [V; E],
    /// Factor of G in its own gradient: the derivative of ‖G‖.
    pub norm: [V; E],
    /// What G is multiplied by before that: 1, or, where ‖G‖ is large, its inverse.
    pub unit: [V; E],
}

/// Sums over the columns of a row, made by the pass of the step after.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct RowSums<V, const E: usize> {
    /// `Σ_j X_j·Φ_j`; only where the state is normalised.
    pub along: [V; E],
    /// `Σ_j γ_j·z_j·X_j`, over the columns that the clamp let through.
    pub rate: [V; E],
    /// `Σ_j γ_j·z_j·(W_j + Φ_j)`, over the same; only where the state is normalised after the update.
    pub rate_weights: [V; E],
}

impl<V: Copy, const E: usize> Coefficients<V, E> {
    /// All equal.
    pub fn splat(value: V) -> Self {
        let [scale_after, norm_after, unit_after, ratio, scale, hidden, product, norm, unit] = [[value; E]; 9];
        Self { scale_after, norm_after, unit_after, ratio, scale, hidden, product, norm, unit }
    }
}

impl<V: Copy, const E: usize> RowSums<V, E> {
    /// All equal.
    #[inline(always)]
    pub fn splat(value: V) -> Self {
        Self { along: [value; E], rate: [value; E], rate_weights: [value; E] }
    }

    /// Adds the sums of more columns.
    #[inline(always)]
    pub fn add<L: Lanes<Vector = V>>(&mut self, lanes: L, more: &Self) {
        for e in 0..E {
            self.along[e] = lanes.add(self.along[e], more.along[e]);
            self.rate[e] = lanes.add(self.rate[e], more.rate[e]);
            self.rate_weights[e] = lanes.add(self.rate_weights[e], more.rate_weights[e]);
        }
    }
}
