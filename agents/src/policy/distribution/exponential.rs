//! e^x of many numbers at once, for softmaxes.
//!
//! With x = n·ln 2 + r, |r| ≤ ½ ln 2, e^x = 2ⁿ·e^r, e^r by its Taylor series to r¹³, whose remainder is below 1e-17.
//! Products are not fused with sums, so that the bits are the same on every processor.

/// Numbers that the compiler may take at once.
const LANES: usize = 8;

/// 1.5·2⁵²: adding it leaves the nearest integer in the low mantissa bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts, the first with few enough bits that n times it is exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/n! from n = 13 down to 0.
const SERIES: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];
/// The least argument whose result is a normal number.
const LEAST: f64 = -708.0;

/// e^x of every value, none of them above 0, in place, relatively within 4e-16. Below −708 it stays at 3e-308; NaN
/// stays NaN. Values do not depend on where they lie.
#[inline(always)]
pub(super) fn exp_all(values: &mut [f64]) {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    chunks.iter_mut().for_each(exp);
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    exp(&mut last);
    rest.copy_from_slice(&last[..rest.len()]);
}

#[inline(always)]
fn exp(values: &mut [f64; LANES]) {
    for value in values {
        let x = if *value < LEAST { LEAST } else { *value };
        let shifted = x * std::f64::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = (x - n * LN2_HIGH) - n * LN2_LOW;
        let mut series = SERIES[0];
        for factor in &SERIES[1..] {
            series = series * r + factor;
        }
        // n goes to the exponent's bits.
        *value = f64::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 52));
    }
}

/// Sum of the terms of all indices below `len`, in a fixed order.
#[inline(always)]
pub(super) fn sum(len: usize, term: impl Fn(usize) -> f64) -> f64 {
    lane_by_lane(len, 0.0, term, |a, b| a + b)
}

/// The largest of the terms of all indices below `len`; NaN is passed over.
#[inline(always)]
pub(super) fn largest(len: usize, term: impl Fn(usize) -> f64) -> f64 {
    lane_by_lane(len, f64::NEG_INFINITY, term, f64::max)
}

#[inline(always)]
fn lane_by_lane(len: usize, start: f64, term: impl Fn(usize) -> f64, join: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; LANES];
    let whole = len / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for (lane, joined) in lanes.iter_mut().enumerate() {
            *joined = join(*joined, term(first + lane));
        }
    }
    for (lane, index) in (whole..len).enumerate() {
        lanes[lane] = join(lanes[lane], term(index));
    }
    lanes.into_iter().fold(start, join)
}

/// ln(1 + e^x) without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_as_precise_as_stated() {
        let mut values: Vec<f64> = (0..70_001).map(|i| -0.01 * f64::from(i)).collect();
        let arguments = values.clone();
        exp_all(&mut values);
        for (x, got) in arguments.into_iter().zip(values) {
            let truth = x.exp();
            assert!((got - truth).abs() <= 4e-16 * truth, "exp {x} = {got}, not {truth}");
        }
    }

    #[test]
    fn a_value_does_not_depend_on_where_it_lies() {
        let values: Vec<f64> = (0..19).map(|i| -0.37 * f64::from(i)).collect();
        let mut together = values.clone();
        exp_all(&mut together);
        for (value, together) in values.into_iter().zip(together) {
            let mut alone = [value];
            exp_all(&mut alone);
            assert_eq!(alone, [together]);
        }
    }

    #[test]
    fn what_is_no_usual_number_stays_recognisable() {
        let mut values = [0.0, -0.0, f64::NEG_INFINITY, f64::NAN];
        exp_all(&mut values);
        assert_eq!(values[..2], [1.0, 1.0]);
        assert!((0.0..1e-307).contains(&values[2]) && values[3].is_nan(), "{values:?}");
    }

    #[test]
    fn sums_and_maxima_have_all_terms() {
        for len in 0..20 {
            assert_eq!(sum(len, |index| index as f64), (0..len).sum::<usize>() as f64);
            let last = len.checked_sub(1).map_or(f64::NEG_INFINITY, |last| last as f64);
            assert_eq!(largest(len, |index| index as f64), last);
        }
    }
}
