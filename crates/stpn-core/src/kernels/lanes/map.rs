//! Functions of every value of a slice.

use pulp::{Arch, Simd, WithSimd};

use super::{Lanes, Single};

/// tanh of every value, in place, by the best instruction set of this processor; see [`Lanes::tanh`].
pub fn tanh_all(values: &mut [f32]) {
    Arch::new().dispatch(TanhAll(values));
}

struct TanhAll<'a>(&'a mut [f32]);

impl WithSimd for TanhAll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = Single(simd);
        let whole = self.0.len() / Single::<S>::WIDTH * Single::<S>::WIDTH;
        let (whole, rest) = self.0.split_at_mut(whole);
        for vector in Single::<S>::vectors_mut(whole) {
            *vector = lanes.tanh(*vector);
        }
        // The rest as a vector of its own, so that a value does not depend on where it lies.
        let mut last = [0.0; LONGEST];
        last[..rest.len()].copy_from_slice(rest);
        for vector in Single::<S>::vectors_mut(&mut last[..Single::<S>::WIDTH]) {
            *vector = lanes.tanh(*vector);
        }
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Lanes of the longest f32 vector there is.
const LONGEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::tanh_all;

    #[test]
    fn tanh_of_a_value_does_not_depend_on_where_it_lies() {
        let values: Vec<f32> = (-40..=43).map(|i| i as f32 * 0.1).collect();
        let mut together = values.clone();
        tanh_all(&mut together);
        for (value, together) in values.into_iter().zip(together) {
            let mut alone = [value];
            tanh_all(&mut alone);
            assert_eq!(alone[0].to_bits(), together.to_bits());
            let truth = f64::from(value).tanh();
            assert!((f64::from(together) - truth).abs() <= 4e-7 * truth.abs(), "tanh {value} = {together}");
        }
    }
}
