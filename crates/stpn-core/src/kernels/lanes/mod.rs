//! Vectors of neurons: the arithmetic that kernels need, over an instruction set chosen at run time.
//!
//! A kernel is written once over [`Lanes`]. [`simd`] implements it over the `pulp` crate for AVX-512, AVX2 with FMA
//! and NEON, [`portable`] in plain Rust for everything else. Code that is generic over [`Lanes`] is marked
//! `#[inline(always)]` and entered through [`Lanes::vectorize`], inside which the compiler may use the instruction
//! set; calling it from elsewhere is correct, but slow.

mod activation;
mod dispatch;
mod map;
mod portable;
mod simd;

use std::fmt::Debug;

pub use map::tanh_all;
pub use portable::Portable;
pub use simd::{Double, Single};

use super::Real;

/// One instruction set and one element type.
pub trait Lanes: Copy + Debug + Send + Sync + 'static {
    /// The element type.
    type Real: Real;
    /// Several elements, one a neuron.
    type Vector: Copy + Debug + Send + Sync + 'static;
    /// The outcome of a comparison, lane by lane.
    type Mask: Copy;

    /// Elements in a vector.
    const WIDTH: usize;
    /// Batch elements that inner loops handle together, so that a parameter is loaded once for all of them: as many
    /// as the registers hold.
    const GROUP: usize;

    /// Runs `op` with the instruction set enabled.
    fn vectorize<R>(self, op: impl FnOnce() -> R) -> R;

    /// A slice whose length is a multiple of [`Lanes::WIDTH`], as vectors.
    fn vectors(values: &[Self::Real]) -> &[Self::Vector];
    /// A mutable slice whose length is a multiple of [`Lanes::WIDTH`], as vectors.
    fn vectors_mut(values: &mut [Self::Real]) -> &mut [Self::Vector];

    /// The same value in all lanes.
    fn splat(self, value: Self::Real) -> Self::Vector;
    /// a + b
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a − b
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a / b
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a·b + c, in one rounding where the instruction set has it.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger one; b where either is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller one; b where either is NaN.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// |a|
    fn abs(self, a: Self::Vector) -> Self::Vector;
    /// √a
    fn sqrt(self, a: Self::Vector) -> Self::Vector;
    /// a < b
    fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `yes` where the mask is true, else `no`.
    fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// Sum of the lanes, in a fixed order.
    fn sum(self, a: Self::Vector) -> Self::Real;

    /// tanh a: in f32 within 4e-7 of the true value, relatively; in f64 the standard library's.
    fn tanh(self, a: Self::Vector) -> Self::Vector;
    /// 1 / (1 + exp(−a)): in f32 within 4e-7 of the true value, relatively, for a ≥ −87, below which it stays at
    /// 1.6e-38; in f64 from the standard library's exponential.
    fn sigmoid(self, a: Self::Vector) -> Self::Vector;

    /// a limited to ±bound; NaN stays NaN.
    #[inline(always)]
    fn clamp(self, a: Self::Vector, bound: Self::Vector) -> Self::Vector {
        let low = self.sub(self.splat(Self::Real::ZERO), bound);
        self.min(bound, self.max(low, a))
    }
}

/// Work that is generic over the instruction set.
pub trait Operation<T: Real> {
    /// What it results in.
    type Output;

    /// Does it.
    fn run<L: Lanes<Real = T>>(self, lanes: L) -> Self::Output;
}

/// The bits of f32 vectors that exponentials need.
pub(crate) trait Exponent: Lanes<Real = f32> {
    /// `value · 2^n`, where the low 9 bits of `shifted` are n and `value · 2^n` is a normal number.
    fn scale(self, value: Self::Vector, shifted: Self::Vector) -> Self::Vector;
}
