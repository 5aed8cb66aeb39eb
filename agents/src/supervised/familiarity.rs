//! Continual familiarity detection (Tyulmankov, Yang, Abbott 2022): was this vector shown R steps ago?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::data::{Sequences, Split};
use crate::limits::{at_least_one, check_sizes};
use crate::{Error, Result};

/// Settings of the task; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FamiliarityConfig {
    /// Elements d of a vector, ±1 each.
    pub dimension: usize,
    /// Steps T of a sequence, a vector at each.
    pub steps: usize,
    /// Probability P that the vector of R steps ago is shown again, unless that one was itself a repeat.
    pub repeat_probability: f64,
    /// The interval R of training and validation.
    pub interval: usize,
    /// Whether epochs repeat one sequence or see a new one each.
    pub data: DataConfig,
    /// Epochs between validations.
    pub validate_every: u64,
    /// Epochs without a better validation accuracy after which training stops; not set = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// The intervals that the best network is tested at in the end, beside its own.
    pub test_intervals: Vec<usize>,
}

/// Where the sequence of an epoch comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataConfig {
    /// The same one in every epoch.
    Fixed,
    /// A new one.
    Fresh,
}

impl Default for FamiliarityConfig {
    fn default() -> Self {
        Self {
            dimension: 100,
            steps: 5000,
            repeat_probability: 0.5,
            interval: 3,
            data: DataConfig::Fresh,
            validate_every: 10,
            patience: None,
            test_intervals: vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 70, 100],
        }
    }
}

impl FamiliarityConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        at_least_one(&[
            ("task.dimension", self.dimension as u64),
            ("task.interval", self.interval as u64),
            ("task.validate_every", self.validate_every),
        ])?;
        check_sizes(&[("task.dimension", self.dimension), ("task.steps", self.steps)])?;
        if !(self.repeat_probability > 0.0 && self.repeat_probability <= 1.0) {
            let problem = format!("must lie in (0, 1], got {}", self.repeat_probability);
            return Err(Error::config("task.repeat_probability", problem));
        }
        if self.steps <= self.interval {
            return Err(Error::config("task.steps", format!("must exceed task.interval, {}", self.interval)));
        }
        if let Some(interval) = self.test_intervals.iter().find(|r| !(1..self.steps).contains(*r)) {
            let problem = format!("{interval} must be at least 1 and below task.steps, {}", self.steps);
            return Err(Error::config("task.test_intervals", problem));
        }
        Ok(())
    }

    /// Sequence number `index` of a split, with repeats after `interval` steps.
    pub fn sequence(&self, seed: u64, split: Split, index: u64, interval: usize) -> FamiliaritySequence {
        FamiliaritySequence::new(self, &mut split.stream(seed, index), interval)
    }

    /// What an epoch learns from.
    pub(super) fn training(&self, seed: u64, update: u64) -> FamiliaritySequence {
        let index = if self.data == DataConfig::Fresh { update } else { 0 };
        self.sequence(seed, Split::Training, index, self.interval)
    }
}

/// One long sequence of ±1 vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct FamiliaritySequence {
    dimension: usize,
    /// `[T, d]`
    pub vectors: Vec<f32>,
    /// `[T]` 1 if the vector is a repeat.
    pub targets: Vec<u8>,
}

impl FamiliaritySequence {
    fn new(config: &FamiliarityConfig, stream: &mut Stream, interval: usize) -> Self {
        let dimension = config.dimension;
        let mut vectors: Vec<f32> = Vec::with_capacity(config.steps * dimension);
        let mut targets: Vec<u8> = Vec::with_capacity(config.steps);
        for t in 0..config.steps {
            let wanted = stream.chance(config.repeat_probability);
            let repeat = wanted && t >= interval && targets[t - interval] == 0;
            if repeat {
                let earlier = (t - interval) * dimension;
                vectors.extend_from_within(earlier..earlier + dimension);
            } else {
                for first in (0..dimension).step_by(64) {
                    let bits = stream.next_u64();
                    let signs = (0..64.min(dimension - first)).map(|bit| if bits >> bit & 1 == 0 { -1.0 } else { 1.0 });
                    vectors.extend(signs);
                }
            }
            targets.push(u8::from(repeat));
        }
        Self { dimension, vectors, targets }
    }
}

impl Sequences for FamiliaritySequence {
    fn len(&self) -> usize {
        1
    }

    fn steps(&self) -> usize {
        self.targets.len()
    }

    fn input(&self) -> usize {
        self.dimension
    }

    fn write(&self, indices: &[u32], x: &mut [f32], targets: &mut [u8]) {
        let batch = indices.len();
        for (x, vector) in x.chunks_exact_mut(batch * self.dimension).zip(self.vectors.chunks_exact(self.dimension)) {
            x.chunks_exact_mut(self.dimension).for_each(|x| x.copy_from_slice(vector));
        }
        for (targets, &target) in targets.chunks_exact_mut(batch).zip(&self.targets) {
            targets.fill(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(data: &FamiliaritySequence, t: usize, interval: usize) -> bool {
        let vector = |t: usize| &data.vectors[t * data.dimension..(t + 1) * data.dimension];
        t >= interval && vector(t) == vector(t - interval)
    }

    #[test]
    fn a_vector_is_repeated_after_the_interval_and_never_twice() {
        for interval in [1, 3, 10] {
            let config = FamiliarityConfig { interval, ..FamiliarityConfig::default() };
            let data = config.training(5, 1);
            assert_eq!((data.vectors.len(), data.targets.len()), (500_000, 5000));
            assert!(data.vectors.iter().all(|v| v.abs() == 1.0));
            let (mut chances, mut taken) = (0, 0);
            for t in 0..5000 {
                assert_eq!(data.targets[t] == 1, repeats(&data, t, interval), "R = {interval}, step {t}");
                if t >= interval && data.targets[t - interval] == 0 {
                    chances += 1;
                    taken += usize::from(data.targets[t] == 1);
                } else {
                    assert_eq!(data.targets[t], 0, "a repeat of a repeat at step {t}");
                }
            }
            let share = taken as f64 / chances as f64;
            assert!((share - 0.5).abs() < 0.04, "{share} of the vectors that may be repeated are");
            let ones = data.vectors.iter().filter(|v| **v > 0.0).count() as f64 / 5e5;
            assert!((ones - 0.5).abs() < 0.01, "{ones}");
        }
    }

    #[test]
    fn fresh_data_differ_from_epoch_to_epoch_and_fixed_data_do_not() {
        let fresh = FamiliarityConfig::default();
        assert_ne!(fresh.training(1, 1), fresh.training(1, 2));
        assert_eq!(fresh.training(1, 2), fresh.training(1, 2));
        let fixed = FamiliarityConfig { data: DataConfig::Fixed, ..fresh };
        assert_eq!(fixed.training(1, 1), fixed.training(1, 2));
        assert_ne!(fixed.training(1, 1), fixed.training(2, 1));
        assert_ne!(fixed.training(1, 0), fixed.sequence(1, Split::Validation, 0, 3));
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |config: FamiliarityConfig| config.check().expect_err("impossible").to_string();
        let default = FamiliarityConfig::default;
        assert!(refused(FamiliarityConfig { interval: 0, ..default() }).contains("task.interval"));
        assert!(refused(FamiliarityConfig { steps: 3, ..default() }).contains("task.steps"));
        assert!(refused(FamiliarityConfig { repeat_probability: 1.5, ..default() }).contains("repeat_probability"));
        assert!(refused(FamiliarityConfig { test_intervals: vec![0], ..default() }).contains("test_intervals"));
    }
}
