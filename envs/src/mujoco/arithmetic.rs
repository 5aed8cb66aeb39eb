//! Sums and distances.

/// Sum of the squares of an action as Gymnasium's NumPy computes it, in 32 bits and in its order: the cost of controls
/// differs in the eighth digit otherwise.
pub(super) fn squares(action: &[f32]) -> f32 {
    let square = |value: &f32| value * value;
    let chunks = action.chunks_exact(8);
    let rest = chunks.remainder();
    if action.len() < 8 {
        return rest.iter().map(square).sum();
    }
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += square(value));
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let whole = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(whole, |sum, value| sum + square(value))
}

/// `left − right`.
pub(super) fn difference(left: [f64; 3], right: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| left[axis] - right[axis])
}

/// Euclidean length.
pub(super) fn length(vector: [f64; 3]) -> f64 {
    vector.iter().map(|number| number * number).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_summed_in_numpys_order() {
        // numpy.sum(numpy.square(a)) of a = numpy.arange(1, n + 1, dtype=float32) / float32(10), as printed by NumPy.
        let action = |n: usize| (1..=n).map(|number| number as f32 / 10.0).collect::<Vec<_>>();
        for (n, bits) in [
            (1, 0x3c23_d70b),
            (3, 0x3e0f_5c2a),
            (6, 0x3f68_f5c3),
            (7, 0x3fb3_3333),
            (8, 0x4002_8f5c),
            (9, 0x4036_6666),
            (17, 0x418e_cccd),
            (24, 0x4244_0000),
        ] {
            assert_eq!(squares(&action(n)).to_bits(), bits, "{n} numbers");
        }
    }

    #[test]
    fn a_length_is_euclidean() {
        assert_eq!(length(difference([3.0, 5.0, 1.0], [1.0, 2.0, -5.0])), 7.0);
    }
}
