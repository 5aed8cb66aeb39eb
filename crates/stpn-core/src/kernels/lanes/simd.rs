//! Lanes over the instruction sets of the `pulp` crate.

use std::slice;

use pulp::{Simd, bytemuck};

use super::{Exponent, Lanes, activation};

/// f32 vectors of the instruction set S.
#[derive(Clone, Copy, Debug)]
pub struct Single<S>(pub S);

/// f64 vectors of the instruction set S.
#[derive(Clone, Copy, Debug)]
pub struct Double<S>(pub S);

/// Applies `f` to each element of a vector.
#[inline(always)]
fn map<V: bytemuck::Pod, T: bytemuck::Pod>(mut vector: V, f: impl Fn(T) -> T) -> V {
    for value in bytemuck::cast_slice_mut::<V, T>(slice::from_mut(&mut vector)) {
        *value = f(*value);
    }
    vector
}

macro_rules! simd {
    ($name:ident, $real:ty, $vector:ident, $mask:ident, $width:ident, [$as_simd:ident, $as_mut_simd:ident, $splat:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $mul_add:ident, $max:ident, $min:ident, $sqrt:ident, $less:ident,
     $select:ident, $sum:ident], [$to_bits:ident, $of_bits:ident, $splat_bits:ident, $and:ident, $magnitude:expr],
     $tanh:expr, $sigmoid:expr) => {
        impl<S: Simd> Lanes for $name<S> {
            type Real = $real;
            type Vector = S::$vector;
            type Mask = S::$mask;

            const WIDTH: usize = S::$width;
            const GROUP: usize = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };

            #[inline(always)]
            fn vectorize<R>(self, op: impl FnOnce() -> R) -> R {
                self.0.vectorize(op)
            }

            #[inline(always)]
            fn vectors(values: &[$real]) -> &[Self::Vector] {
                S::$as_simd(values).0
            }

            #[inline(always)]
            fn vectors_mut(values: &mut [$real]) -> &mut [Self::Vector] {
                S::$as_mut_simd(values).0
            }

            #[inline(always)]
            fn splat(self, value: $real) -> Self::Vector {
                self.0.$splat(value)
            }

            #[inline(always)]
            fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$add(a, b)
            }

            #[inline(always)]
            fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$sub(a, b)
            }

            #[inline(always)]
            fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$mul(a, b)
            }

            #[inline(always)]
            fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$div(a, b)
            }

            #[inline(always)]
            fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                self.0.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$max(a, b)
            }

            #[inline(always)]
            fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$min(a, b)
            }

            #[inline(always)]
            fn abs(self, a: Self::Vector) -> Self::Vector {
                // `pulp` has this too, but the compiler does not always inline its function: a training whose inner loop
                // called it took three times as long.
                self.0.$of_bits(self.0.$and(self.0.$to_bits(a), self.0.$splat_bits($magnitude)))
            }

            #[inline(always)]
            fn sqrt(self, a: Self::Vector) -> Self::Vector {
                self.0.$sqrt(a)
            }

            #[inline(always)]
            fn less(self, a: Self::Vector, b: Self::Vector) -> Self::Mask {
                self.0.$less(a, b)
            }

            #[inline(always)]
            fn select(self, mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
                self.0.$select(mask, yes, no)
            }

            #[inline(always)]
            fn sum(self, a: Self::Vector) -> $real {
                self.0.$sum(a)
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

simd!(
    Single,
    f32,
    f32s,
    m32s,
    F32_LANES,
    [
        as_simd_f32s,
        as_mut_simd_f32s,
        splat_f32s,
        add_f32s,
        sub_f32s,
        mul_f32s,
        div_f32s,
        mul_add_e_f32s,
        max_f32s,
        min_f32s,
        sqrt_f32s,
        less_than_f32s,
        select_f32s,
        reduce_sum_f32s
    ],
    [transmute_u32s_f32s, transmute_f32s_u32s, splat_u32s, and_u32s, i32::MAX as u32],
    activation::tanh,
    activation::sigmoid
);
simd!(
    Double,
    f64,
    f64s,
    m64s,
    F64_LANES,
    [
        as_simd_f64s,
        as_mut_simd_f64s,
        splat_f64s,
        add_f64s,
        sub_f64s,
        mul_f64s,
        div_f64s,
        mul_add_e_f64s,
        max_f64s,
        min_f64s,
        sqrt_f64s,
        less_than_f64s,
        select_f64s,
        reduce_sum_f64s
    ],
    [transmute_u64s_f64s, transmute_f64s_u64s, splat_u64s, and_u64s, i64::MAX as u64],
    |_, a| map(a, f64::tanh),
    |_, a| map(a, |v: f64| 1.0 / (1.0 + (-v).exp()))
);

impl<S: Simd> Exponent for Single<S> {
    #[inline(always)]
    fn scale(self, value: Self::Vector, shifted: Self::Vector) -> Self::Vector {
        let bits = self.0.wrapping_dyn_shl_u32s(self.0.transmute_u32s_f32s(shifted), self.0.splat_u32s(23));
        self.0.transmute_f32s_u32s(self.0.add_u32s(self.0.transmute_u32s_f32s(value), bits))
    }
}
