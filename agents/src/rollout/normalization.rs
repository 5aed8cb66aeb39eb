//! Running normalisation of observations and rewards.
//!
//! Statistics stand still while a rollout is collected and learned from, so that the policy that learns sees what the
//! policy that acted saw; they move on between updates. In evaluation they stay as training left them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_envs::{Dtype, Space};

use super::Fragment;
use crate::statistics::{Moments, Running};
use crate::{Error, Result};

/// Added to variances before their root is taken.
const EPSILON: f64 = 1e-8;

/// What is normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormalizationConfig {
    /// Shift and scale observations to mean 0 and variance 1, element by element; from the second update on.
    #[schemars(extend("x-sb3" = "norm_obs"))]
    pub observations: bool,
    /// Divide rewards by the standard deviation of their discounted sum; their sign stays. Reported returns are of raw
    /// rewards.
    #[schemars(extend("x-sb3" = "norm_reward"))]
    pub rewards: bool,
    /// Normalised observations and rewards are clipped to ±this.
    #[schemars(extend("x-sb3" = "clip_obs"))]
    pub clip: f64,
}

impl Default for NormalizationConfig {
    fn default() -> Self {
        Self { observations: false, rewards: false, clip: 10.0 }
    }
}

impl NormalizationConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        if self.clip > 0.0 {
            return Ok(());
        }
        Err(Error::config("normalization.clip", format!("must be positive, got {}", self.clip)))
    }
}

/// The statistics. Saved in every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Of each element of an observation; empty if observations are not normalised.
    pub observations: Vec<Running>,
    /// Of discounted returns; absent if rewards are not normalised.
    pub returns: Option<Running>,
    /// Bound on the magnitude of what comes out.
    pub clip: f64,
}

impl Normalization {
    /// Statistics of nothing yet.
    ///
    /// # Errors
    /// [`Error::Config`] if observations of bytes should be normalised.
    pub fn new(config: &NormalizationConfig, observations: &Space) -> Result<Self> {
        config.check()?;
        if config.observations && observations.dtype() == Dtype::U8 {
            let problem = "observations of bytes are scaled by the encoder; set it to false";
            return Err(Error::config("normalization.observations", problem));
        }
        if config.observations && !matches!(observations, Space::Box { .. }) {
            let problem =
                format!("observations of {observations} enter the network as zeros and ones; set it to false");
            return Err(Error::config("normalization.observations", problem));
        }
        let elements = if config.observations { observations.len() } else { 0 };
        Ok(Self {
            observations: vec![Running::default(); elements],
            returns: config.rewards.then(Running::default),
            clip: config.clip,
        })
    }

    /// True if nothing is normalised.
    pub fn is_off(&self) -> bool {
        self.observations.is_empty() && self.returns.is_none()
    }

    /// Normalises observations `[N, O]` in place.
    pub fn apply(&self, observations: &mut [f32]) {
        if self.observations.is_empty() {
            return;
        }
        let clip = self.clip as f32;
        for row in observations.chunks_exact_mut(self.observations.len()) {
            for (value, running) in row.iter_mut().zip(&self.observations) {
                let deviation = (running.variance() + EPSILON).sqrt();
                *value = ((f64::from(*value) - running.mean) / deviation) as f32;
                *value = value.clamp(-clip, clip);
            }
        }
    }

    /// Takes in what a rollout saw: raw observations, by worker, element by element.
    pub fn merge_observations<'a>(&mut self, workers: impl IntoIterator<Item = &'a [Moments]>) {
        let mut sums = vec![Moments::default(); self.observations.len()];
        for worker in workers {
            sums.iter_mut().zip(worker).for_each(|(sum, moments)| sum.add(moments));
        }
        self.observations.iter_mut().zip(&sums).for_each(|(running, batch)| running.merge(batch));
    }

    /// Takes in the discounted returns of a rollout, by worker.
    pub fn merge_returns<'a>(&mut self, workers: impl IntoIterator<Item = &'a Moments>) {
        if let Some(running) = &mut self.returns {
            let mut sum = Moments::default();
            workers.into_iter().for_each(|worker| sum.add(worker));
            running.merge(&sum);
        }
    }

    /// The rewards to learn from.
    pub fn rewards(&self, raw: &[f32]) -> Vec<f32> {
        let Some(running) = &self.returns else { return raw.to_vec() };
        let (deviation, clip) = ((running.variance() + EPSILON).sqrt(), self.clip);
        raw.iter().map(|&reward| (f64::from(reward) / deviation).clamp(-clip, clip) as f32).collect()
    }
}

/// Moves discounted returns `[B]` along a fragment's rewards and gathers their moments at every step.
pub fn discounted_returns(fragment: &Fragment, gamma: f64, returns: &mut [f32]) -> Moments {
    let mut moments = Moments::default();
    for (t, rewards) in fragment.rewards.chunks_exact(fragment.shape.batch).enumerate() {
        for (i, (discounted, &reward)) in returns.iter_mut().zip(rewards).enumerate() {
            let n = t * fragment.shape.batch + i;
            *discounted = (gamma * f64::from(*discounted) + f64::from(reward)) as f32;
            moments.push(f64::from(*discounted));
            if fragment.terminated[n] || fragment.truncated[n] {
                *discounted = 0.0;
            }
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::{Purpose, Stream};

    #[test]
    fn observations_leave_with_mean_0_and_variance_1_and_bounded() {
        let config = NormalizationConfig { observations: true, clip: 3.0, ..NormalizationConfig::default() };
        let mut normalization = Normalization::new(&config, &Space::boxed(-9.0, 9.0, [2])).unwrap();
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let raw: Vec<f32> =
            (0..5000).flat_map(|_| [4.0 + 2.0 * stream.normal() as f32, -0.1 * stream.normal() as f32]).collect();
        let moments: Vec<Moments> =
            (0..2).map(|o| raw.iter().skip(o).step_by(2).map(|&v| f64::from(v)).collect()).collect();
        let mut untouched = raw.clone();
        normalization.apply(&mut untouched[..4]);
        assert!((untouched[1] - raw[1]).abs() < 1e-6, "before anything was seen nothing changes but by clipping");
        normalization.merge_observations([&moments[..]]);
        let mut normalized = raw;
        normalization.apply(&mut normalized);
        for o in 0..2 {
            let moments: Moments = normalized.iter().skip(o).step_by(2).map(|&v| f64::from(v)).collect();
            assert!(moments.mean().abs() < 0.01 && (moments.variance() - 1.0).abs() < 0.03, "{moments:?}");
        }
        assert!(normalized.iter().all(|v| v.abs() <= 3.0));
    }

    #[test]
    fn rewards_are_divided_by_the_deviation_of_returns_and_keep_their_sign() {
        let config = NormalizationConfig { rewards: true, ..NormalizationConfig::default() };
        let mut normalization = Normalization::new(&config, &Space::boxed(0.0, 1.0, [1])).unwrap();
        let moments: Moments = [0.0, 4.0, 8.0].into_iter().collect();
        normalization.merge_returns([&moments]);
        let scale = (32f64 / 3.0).sqrt();
        let rewards = normalization.rewards(&[1.0, -2.0, 1000.0]);
        assert!(
            (f64::from(rewards[0]) - 1.0 / scale).abs() < 1e-6 && (f64::from(rewards[1]) + 2.0 / scale).abs() < 1e-6
        );
        assert_eq!(rewards[2], 10.0);
    }

    #[test]
    fn bytes_are_refused() {
        let config = NormalizationConfig { observations: true, ..NormalizationConfig::default() };
        let error = Normalization::new(&config, &Space::discrete(4)).unwrap_err().to_string();
        assert!(error.contains("Discrete(4)") && error.contains("set it to false"), "{error}");
        let error = Normalization::new(&config, &Space::pixels([2, 2])).unwrap_err().to_string();
        assert!(error.contains("normalization.observations"), "{error}");
    }
}
