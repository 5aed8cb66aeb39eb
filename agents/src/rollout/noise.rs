//! Noise of continuous actions that is correlated over time, so that rollouts explore in longer moves.

use stpn_random::Stream;

/// Noise of B environments with A dimensions each: a stationary autoregressive process of first order, whose values have
/// mean 0 and variance 1 and, k steps apart in an episode, the correlation ρᵏ. Each episode starts a new one.
///
/// Policies learn as if draws were independent: their log-probabilities are those of single steps. Coloured noise was
/// found to help PPO in this way (Hollenstein, Martius and Piater 2024).
#[derive(Clone, Debug)]
pub struct CorrelatedNoise {
    correlation: f32,
    dims: usize,
    /// `[B, A]` of the last step; empty before the first.
    last: Vec<f32>,
}

impl CorrelatedNoise {
    /// Noise before its first step, of `dims` dimensions A and `correlation` ρ from 0 up to, but not including, 1.
    pub fn new(correlation: f64, dims: usize) -> Self {
        Self { correlation: correlation as f32, dims, last: Vec::new() }
    }

    /// The noise `[B, A]` of the next step, drawn from each environment's own stream; `episode_starts` `[B]` is 1 where an
    /// episode starts with it.
    pub fn advance(&mut self, streams: &mut [Stream], episode_starts: &[u8]) -> &[f32] {
        let begun = !self.last.is_empty();
        self.last.resize(streams.len() * self.dims, 0.0);
        let fresh_share = (1.0 - self.correlation * self.correlation).sqrt();
        let rows = self.last.chunks_exact_mut(self.dims).zip(streams).zip(episode_starts);
        for ((row, stream), &start) in rows {
            for value in row {
                let fresh = stream.normal() as f32;
                *value = match begun && start == 0 {
                    true => self.correlation * *value + fresh_share * fresh,
                    false => fresh,
                };
            }
        }
        &self.last
    }

    /// `[B, A]` of the last step; empty before the first.
    pub fn last(&self) -> &[f32] {
        &self.last
    }

    /// Goes on from the noise `[B, A]` of a step, or from the start if it is empty.
    pub fn restore(&mut self, last: &[f32]) {
        self.last.clear();
        self.last.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::Purpose;

    #[test]
    fn variance_is_1_and_correlation_falls_by_a_factor_each_step() {
        let mut streams: Vec<Stream> = (0..50).map(|i| Stream::new(1, Purpose::Test, i)).collect();
        let mut noise = CorrelatedNoise::new(0.8, 2);
        let steps: Vec<Vec<f32>> = (0..2000).map(|_| noise.advance(&mut streams, &[0; 50]).to_vec()).collect();
        let covariance = |lag: usize| {
            let products = steps.iter().zip(&steps[lag..]).flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b));
            let (sum, count) = products.fold((0.0, 0.0), |(sum, count), p| (sum + f64::from(p), count + 1.0));
            sum / count
        };
        for (lag, expected) in [(0, 1.0), (1, 0.8), (2, 0.64), (10, 0.107)] {
            assert!((covariance(lag) - expected).abs() < 0.02, "lag {lag}: {}", covariance(lag));
        }
    }

    #[test]
    fn an_episode_starts_with_noise_of_its_own() {
        let at = |starts: u8| {
            let mut streams = [Stream::new(1, Purpose::Test, 0)];
            let mut noise = CorrelatedNoise::new(0.99, 1);
            let first = noise.advance(&mut streams, &[1])[0];
            let mut fresh = streams[0].clone();
            let second = noise.advance(&mut streams, &[starts])[0];
            (first, second, fresh.normal() as f32)
        };
        let (first, second, fresh) = at(0);
        assert_eq!(second, 0.99 * first + (1.0 - 0.99f32 * 0.99).sqrt() * fresh);
        let (_, second, fresh) = at(1);
        assert_eq!(second, fresh);
    }

    #[test]
    fn restored_noise_goes_on() {
        let mut streams = [Stream::new(1, Purpose::Test, 0), Stream::new(1, Purpose::Test, 1)];
        let mut noise = CorrelatedNoise::new(0.5, 3);
        noise.advance(&mut streams, &[1, 1]);
        let (mut same, mut others) = (CorrelatedNoise::new(0.5, 3), streams.clone());
        same.restore(noise.last());
        assert_eq!(same.advance(&mut others, &[0, 0]), noise.advance(&mut streams, &[0, 0]));
    }
}
