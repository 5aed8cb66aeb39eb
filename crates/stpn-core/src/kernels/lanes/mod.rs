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

use std::borrow::Cow;
use std::fmt::Debug;

pub use portable::Portable;
pub use simd::{Double, Single};

/// The element type of kernels: f32 or f64.
pub trait Real: candle_core::WithDType + Debug + Default {
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// Norms from here on are taken, and their derivatives made, of values scaled down: well before the square of one
    /// overflows, and the square of its inverse loses bits.
    const LARGE_NORM: Self;

    /// The nearest value.
    fn of(value: f64) -> Self;

    /// The same value in double precision.
    fn wide(self) -> f64;

    /// A byte's value.
    fn of_byte(byte: u8) -> Self;

    /// Single-precision values in this type, copied only where it is another one.
    fn from_single(values: &[f32]) -> Cow<'_, [Self]>;

    /// tanh of every value, in place: in f32 within 4e-7 of the true value, relatively; in f64 the standard library's.
    fn tanh_all(values: &mut [Self]);

    /// Runs what is generic over the instruction set with the best one of this processor.
    #[doc(hidden)]
    fn on_lanes<O: Operation<Self>>(operation: O) -> O::Output;
}

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

/// An array from the indices of its elements, as `std::array::from_fn` makes it, but inlined in every build: the compiler
/// cannot use an instruction set in a function that it calls.
#[inline(always)]
pub fn each<T: Copy, const N: usize>(element: impl Fn(usize) -> T) -> [T; N] {
    let mut all = [element(0); N];
    for (index, place) in all.iter_mut().enumerate().skip(1) {
        *place = element(index);
    }
    all
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
