//! The element types, and which instruction set each runs on.

use std::borrow::Cow;

use super::map::tanh_all;
use super::{Double, Operation, Portable, Real, Single};

macro_rules! real {
    ($type:ty, $large_norm:expr, $simd:ident, $from_single:expr, $tanh_all:expr) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LARGE_NORM: Self = $large_norm;

            fn of(value: f64) -> Self {
                value as Self
            }

            fn wide(self) -> f64 {
                self.into()
            }

            fn of_byte(byte: u8) -> Self {
                byte.into()
            }

            fn from_single(values: &[f32]) -> Cow<'_, [Self]> {
                $from_single(values)
            }

            fn tanh_all(values: &mut [Self]) {
                $tanh_all(values);
            }

            fn on_lanes<O: Operation<Self>>(operation: O) -> O::Output {
                #[cfg(target_arch = "x86_64")]
                {
                    if let Some(simd) = pulp::x86::V4::try_new() {
                        return operation.run($simd(simd));
                    }
                    if let Some(simd) = pulp::x86::V3::try_new() {
                        return operation.run($simd(simd));
                    }
                }
                #[cfg(target_arch = "aarch64")]
                if let Some(simd) = pulp::aarch64::Neon::try_new() {
                    return operation.run($simd(simd));
                }
                operation.run(Portable::<$type>::new())
            }
        }
    };
}

real!(f32, 1e17, Single, Cow::Borrowed, tanh_all);
real!(
    f64,
    1e145,
    Double,
    |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect(),
    |values: &mut [f64]| {
        values.iter_mut().for_each(|value| *value = value.tanh());
    }
);
