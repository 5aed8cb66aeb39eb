//! tanh and the logistic function on f32 vectors.
//!
//! Both come from E(y) = exp(y) − 1 for y ≤ 0, which keeps its relative precision near zero:
//! `tanh a = −sign(a)·E/(E + 2)` with y = −2|a|, and `σ(−|a|) = exp/(1 + exp)` with y = −|a|.
//! With y = n·ln 2 + r, |r| ≤ ½ ln 2, exp(y) = 2ⁿ(1 + q) where q = exp(r) − 1 by its Taylor series to r⁷, whose
//! remainder is below 6e-9.

use super::Exponent;

/// 1.5·2²³: adding it leaves the nearest integer in the low mantissa bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first with few enough bits that n times it is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// 2ⁿ and q of exp(y) = 2ⁿ(1 + q), for −87 ≤ y ≤ 0.
#[inline(always)]
fn exponential<L: Exponent>(lanes: L, y: L::Vector) -> (L::Vector, L::Vector) {
    let one = lanes.splat(1.0);
    let shifted = lanes.mul_add(y, lanes.splat(std::f32::consts::LOG2_E), lanes.splat(ROUND));
    let n = lanes.sub(shifted, lanes.splat(ROUND));
    let r = lanes.mul_add(n, lanes.splat(-LN2_HIGH), y);
    let r = lanes.mul_add(n, lanes.splat(-LN2_LOW), r);
    let mut series = lanes.splat(1.0 / 5040.0);
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0] {
        series = lanes.mul_add(series, r, lanes.splat(factor));
    }
    (lanes.scale(one, shifted), lanes.mul(series, r))
}

/// See [`super::Lanes::tanh`].
#[inline(always)]
pub(super) fn tanh<L: Exponent>(lanes: L, a: L::Vector) -> L::Vector {
    let zero = lanes.splat(0.0);
    // Beyond |a| = 20 the result is ±1 anyway.
    let y = lanes.max(lanes.splat(-40.0), lanes.mul(lanes.abs(a), lanes.splat(-2.0)));
    let (power, q) = exponential(lanes, y);
    let e = lanes.mul_add(power, q, lanes.sub(power, lanes.splat(1.0)));
    let magnitude = lanes.div(lanes.sub(zero, e), lanes.add(e, lanes.splat(2.0)));
    lanes.select(lanes.less(a, zero), lanes.sub(zero, magnitude), magnitude)
}

/// See [`super::Lanes::sigmoid`].
#[inline(always)]
pub(super) fn sigmoid<L: Exponent>(lanes: L, a: L::Vector) -> L::Vector {
    let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
    let y = lanes.max(lanes.splat(-87.0), lanes.sub(zero, lanes.abs(a)));
    let (power, q) = exponential(lanes, y);
    let exp = lanes.mul_add(power, q, power);
    let numerator = lanes.select(lanes.less(a, zero), exp, one);
    lanes.div(numerator, lanes.add(one, exp))
}

#[cfg(test)]
mod tests {
    use super::super::{Lanes, Portable, simd};

    /// Largest relative error of `f` against `truth` over arguments of all magnitudes and both signs.
    fn worst<L: Lanes<Real = f32>>(f: impl Fn(L::Vector) -> L::Vector, truth: fn(f64) -> f64, limit: f32) -> f64 {
        let magnitudes = (-1500..=440).map(|i| (f64::from(i) * 0.02).exp2() as f32).filter(|a| *a <= limit);
        let mut arguments: Vec<f32> = magnitudes.flat_map(|a| [a, -a]).collect();
        arguments.resize(arguments.len().next_multiple_of(L::WIDTH), 0.5);
        let results: Vec<L::Vector> = L::vectors(&arguments).iter().map(|a| f(*a)).collect();
        let mut flat = vec![0.0; arguments.len()];
        L::vectors_mut(&mut flat).copy_from_slice(&results);
        let error = |(a, got): (&f32, &f32)| {
            let want = truth(f64::from(*a));
            (f64::from(*got) - want).abs() / want.abs()
        };
        arguments.iter().zip(&flat).map(error).fold(0.0, f64::max)
    }

    fn check<L: Lanes<Real = f32>>(lanes: L) {
        let tanh = worst::<L>(|a| lanes.tanh(a), f64::tanh, 1000.0);
        assert!(tanh < 4e-7, "{lanes:?}: tanh within {tanh:e}");
        let sigmoid = worst::<L>(|a| lanes.sigmoid(a), |a| 1.0 / (1.0 + (-a).exp()), 87.0);
        assert!(sigmoid < 4e-7, "{lanes:?}: sigmoid within {sigmoid:e}");

        let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let mut arguments = vec![0.0; special.len().next_multiple_of(L::WIDTH)];
        arguments[..special.len()].copy_from_slice(&special);
        let mut results = arguments.clone();
        for (result, a) in L::vectors_mut(&mut results).iter_mut().zip(L::vectors(&arguments)) {
            *result = lanes.tanh(*a);
        }
        assert_eq!(results[..4], [0.0, 0.0, 1.0, -1.0], "{lanes:?}");
        assert!(results[4].is_nan(), "{lanes:?}: tanh hides a NaN");
        for (result, a) in L::vectors_mut(&mut results).iter_mut().zip(L::vectors(&arguments)) {
            *result = lanes.sigmoid(*a);
        }
        assert_eq!(results[..3], [0.5, 0.5, 1.0], "{lanes:?}");
        assert!(results[3] < 2e-38 && results[4].is_nan(), "{lanes:?}: {results:?}");
    }

    #[test]
    fn activations_are_as_precise_as_stated() {
        check(Portable::<f32>::new());
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(v3) = pulp::x86::V3::try_new() {
                check(simd::Single(v3));
            }
            if let Some(v4) = pulp::x86::V4::try_new() {
                check(simd::Single(v4));
            }
        }
    }
}
