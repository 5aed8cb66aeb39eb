//! The noise of start states.

use stpn_random::Stream;

/// Adds uniform noise in ±`scale` to every number.
pub(super) fn uniform(numbers: &mut [f64], scale: f64, stream: &mut Stream) {
    numbers.iter_mut().for_each(|number| *number += stream.uniform(-scale, scale));
}

/// Adds normal noise of standard deviation `scale` to every number.
pub(super) fn normal(numbers: &mut [f64], scale: f64, stream: &mut Stream) {
    numbers.iter_mut().for_each(|number| *number += scale * stream.normal());
}

/// A point drawn uniformly from a box around 0 until it is `allowed`.
pub(super) fn point(x: [f64; 2], y: [f64; 2], allowed: impl Fn(f64) -> bool, stream: &mut Stream) -> [f64; 2] {
    loop {
        let point = [stream.uniform(x[0], x[1]), stream.uniform(y[0], y[1])];
        if allowed(point[0].hypot(point[1])) {
            return point;
        }
    }
}
