//! Lanes in plain Rust, for processors without a vector unit that we know.

use std::marker::PhantomData;

use super::{Exponent, Lanes, Real, activation, each};

/// Elements in a vector: enough for the compiler to use whatever vectors the target's baseline has.
const WIDTH: usize = 8;

/// Eight elements in an array.
#[derive(Clone, Copy, Debug)]
pub struct Portable<T>(PhantomData<T>);

impl<T> Portable<T> {
    /// The only value.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Portable<T> {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! portable {
    ($real:ty, $tanh:expr, $sigmoid:expr) => {
        impl Lanes for Portable<$real> {
            type Real = $real;
            type Vector = [$real; WIDTH];
            type Mask = [bool; WIDTH];

            const WIDTH: usize = WIDTH;
            const GROUP: usize = 2;

            #[inline(always)]
            fn vectorize<R>(self, op: impl FnOnce() -> R) -> R {
                op()
            }

            #[inline(always)]
            fn vectors(values: &[$real]) -> &[Self::Vector] {
                values.as_chunks().0
            }

            #[inline(always)]
            fn vectors_mut(values: &mut [$real]) -> &mut [Self::Vector] {
                values.as_chunks_mut().0
            }

            #[inline(always)]
            fn splat(self, value: $real) -> Self::Vector {
                [value; WIDTH]
            }

            #[inline(always)]
            fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| a[i] + b[i])
            }

            #[inline(always)]
            fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| a[i] - b[i])
            }

            #[inline(always)]
            fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| a[i] * b[i])
            }

            #[inline(always)]
            fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| a[i] / b[i])
            }

            #[inline(always)]
            fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                // Without an instruction for it, a fused product would be a library call for each element.
                each(|i| a[i] * b[i] + c[i])
            }

            #[inline(always)]
            fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| if a[i] > b[i] { a[i] } else { b[i] })
            }

            #[inline(always)]
            fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                each(|i| if a[i] < b[i] { a[i] } else { b[i] })
            }

            #[inline(always)]
            fn abs(self, a: Self::Vector) -> Self::Vector {
                each(|i| a[i].abs())
            }

            #[inline(always)]
            fn sqrt(self, a: Self::Vector) -> Self::Vector {
                each(|i| a[i].sqrt())
            }

            #[inline(always)]
            fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
                each(|i| a[i] < b[i])
            }

            #[inline(always)]
            fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
                each(|i| if mask[i] { yes[i] } else { no[i] })
            }

            #[inline(always)]
            fn sum(self, a: Self::Vector) -> $real {
                a.iter().sum()
            }

            #[inline(always)]
            fn tanh(self, a: Self::Vector) -> Self::Vector {
                $tanh(self, a)
            }

            #[inline(always)]
            fn sigmoid(self, a: Self::Vector) -> Self::Vector {
                $sigmoid(self, a)
            }
        }
    };
}

portable!(f32, activation::tanh, activation::sigmoid);
portable!(f64, |_, a: [f64; WIDTH]| a.map(f64::tanh), |_, a: [f64; WIDTH]| a.map(|v| 1.0 / (1.0 + (-v).exp())));

impl Exponent for Portable<f32> {
    #[inline(always)]
    fn scale(self, value: Self::Vector, shifted: Self::Vector) -> Self::Vector {
        each(|i| f32::from_bits(value[i].to_bits().wrapping_add(shifted[i].to_bits() << 23)))
    }
}

const _: () = assert!(size_of::<<Portable<f32> as Lanes>::Vector>() == WIDTH * size_of::<f32>());
const _: fn() = || {
    fn real<T: Real>() {}
    real::<f32>();
    real::<f64>();
};
