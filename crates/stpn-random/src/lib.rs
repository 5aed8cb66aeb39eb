//! Seeded random streams that can be saved and restored.
//!
//! Everything random in stpn draws from a [`Stream`]: parameter initialisation, environment resets, action
//! sampling, minibatch order. A stream is named by `(seed, purpose, index)`, so that environment 7 of a run
//! meets the same goals whichever thread or machine steps it, and adding a consumer never shifts another's draws.
//! The generator is xoshiro256++; its 32 bytes of state serialise exactly, which is what makes resume exact.
//! Distributions are defined here, not taken from a library whose algorithm may change between versions.

#![forbid(unsafe_code)]

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// What a stream is used for. Streams of different purposes are independent even with equal seed and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[repr(u64)]
pub enum Purpose {
    /// Initial values of trainable parameters.
    Parameters = 1,
    /// An environment's own dynamics and resets; index = global environment number.
    Environment = 2,
    /// Sampling of actions; index = global environment number.
    Actions = 3,
    /// Order of minibatches.
    Minibatches = 4,
    /// Environments of evaluation; index = episode number.
    Evaluation = 5,
    /// Sampling of actions in evaluation; index = episode number.
    EvaluationActions = 6,
    /// Data sets of supervised tasks; index = split.
    Data = 7,
    /// Anything in tests and benches.
    Test = 8,
    /// Seed of the environments of a run that goes on with another number of ranks; index = update.
    Reseeding = 9,
}

/// A seeded stream of random numbers, xoshiro256++ underneath.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    generator: Xoshiro256PlusPlus,
}

/// One round of SplitMix64 (Steele, Lea, Flood 2014), to mix seed, purpose and index into one seed.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream named `(seed, purpose, index)`.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let seed = mix(mix(mix(seed) ^ purpose as u64) ^ index);
        Self { generator: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The stream of a bare seed, as in Gymnasium's `reset(seed=…)`.
    pub fn from_seed(seed: u64) -> Self {
        Self { generator: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..bound without bias (Lemire 2019).
    ///
    /// # Panics
    /// If `bound` is 0: there is nothing to draw from.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "Stream::below needs a positive bound");
        let bound = bound as u64;
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Standard normal by Box–Muller. Two uniforms a draw, no cached half: the state is the generator's alone.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Fisher–Yates shuffle in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_name_same_stream_and_other_names_differ() {
        let draw = |seed, purpose, index| Stream::new(seed, purpose, index).next_u64();
        assert_eq!(draw(1, Purpose::Actions, 3), draw(1, Purpose::Actions, 3));
        assert_ne!(draw(1, Purpose::Actions, 3), draw(1, Purpose::Environment, 3));
        assert_ne!(draw(1, Purpose::Actions, 3), draw(1, Purpose::Actions, 4));
        assert_ne!(draw(1, Purpose::Actions, 3), draw(2, Purpose::Actions, 3));
    }

    #[test]
    fn a_restored_stream_continues_where_it_was_saved() {
        let mut stream = Stream::new(5, Purpose::Test, 0);
        stream.normal();
        let bytes = postcard::to_allocvec(&stream).unwrap();
        let mut restored: Stream = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(stream, restored);
        assert_eq!(
            (0..9).map(|_| stream.next_u64()).collect::<Vec<_>>(),
            (0..9).map(|_| restored.next_u64()).collect::<Vec<_>>()
        );
    }

    #[test]
    fn moments_of_unit_and_normal() {
        let mut stream = Stream::new(0, Purpose::Test, 1);
        let n = 200_000;
        let unit: Vec<f64> = (0..n).map(|_| stream.unit()).collect();
        let normal: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let moments = |v: &[f64]| {
            let mean = v.iter().sum::<f64>() / n as f64;
            (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64)
        };
        let (mean, variance) = moments(&unit);
        assert!((mean - 0.5).abs() < 4e-3 && (variance - 1.0 / 12.0).abs() < 2e-3, "{mean} {variance}");
        let (mean, variance) = moments(&normal);
        assert!(mean.abs() < 1e-2 && (variance - 1.0).abs() < 2e-2, "{mean} {variance}");
    }

    #[test]
    fn below_is_uniform_by_chi_square() {
        let mut stream = Stream::new(0, Purpose::Test, 2);
        let (cells, n) = (7, 70_000);
        let mut counts = vec![0usize; cells];
        (0..n).for_each(|_| counts[stream.below(cells)] += 1);
        let expected = n as f64 / cells as f64;
        let chi_square: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        assert!(chi_square < 22.46, "chi-square {chi_square} above the 0.999 quantile of 6 degrees of freedom");
    }

    #[test]
    fn shuffle_is_a_permutation() {
        let mut items: Vec<usize> = (0..100).collect();
        Stream::new(0, Purpose::Test, 3).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
