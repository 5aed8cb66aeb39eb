//! Means over seeds or episodes, and how sure they are.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Any number.
pub const ANY: RangeInclusive<f64> = f64::NEG_INFINITY..=f64::INFINITY;

/// What is never negative: energies, times, counts.
pub const NOT_NEGATIVE: RangeInclusive<f64> = 0.0..=f64::INFINITY;

/// Accuracies and rates.
pub const SHARE: RangeInclusive<f64> = 0.0..=1.0;

/// How intervals are made, below every table that has some.
pub const METHOD: &str = "[95 % confidence interval by Student's t, n - 1 degrees of freedom, cut to the values that are \
                          possible; none where n = 1]";

/// A mean with its 95 % confidence interval by Student's t with n − 1 degrees of freedom, which takes the values as
/// independent and normally distributed. The true mean lies among the possible values, so that nothing is lost where
/// the interval is cut to them. A single value has no interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The interval's ends.
    pub interval: Option<[f64; 2]>,
    /// Number of values n.
    pub count: usize,
}

impl Mean {
    /// Of `values`, which can only lie within `possible`; none if there are none.
    pub fn of(values: &[f64], possible: &RangeInclusive<f64>) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        let interval = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let half = t.inverse_cdf(0.975) * (variance / n).sqrt();
            // Never past the mean itself, which rounding may have put outside.
            [(mean - half).max(*possible.start()).min(mean), (mean + half).min(*possible.end()).max(mean)]
        });
        Some(Self { mean, interval, count })
    }

    /// `mean [low, high]` with that many decimals.
    pub fn display(&self, decimals: usize) -> String {
        match self.interval {
            Some([low, high]) => format!("{:.decimals$} [{low:.decimals$}, {high:.decimals$}]", self.mean),
            None => format!("{:.decimals$}", self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// t quantiles of 2 and 9 degrees of freedom from tables: 4.302653, 2.262157.
    #[test]
    fn intervals_are_students() {
        let three = Mean::of(&[1.0, 2.0, 3.0], &ANY).unwrap();
        let [low, high] = three.interval.unwrap();
        let half = 4.302_653 / 3f64.sqrt();
        assert!((three.mean - 2.0).abs() < 1e-12);
        assert!((low - (2.0 - half)).abs() < 1e-5 && (high - (2.0 + half)).abs() < 1e-5, "{three:?}");
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let [low, high] = Mean::of(&values, &ANY).unwrap().interval.unwrap();
        let half = 2.262_157 * (110.0f64 / 12.0 / 10.0).sqrt();
        assert!((high - low - 2.0 * half).abs() < 1e-5);
    }

    #[test]
    fn intervals_left_the_possible_range() {
        // As published once: an accuracy of up to 1.1753, an energy of at least −1.325.
        let accuracy = Mean::of(&[0.9993, 0.7, 0.9], &SHARE).unwrap();
        assert_eq!(accuracy.interval.unwrap()[1], 1.0);
        let energy = Mean::of(&[8.0, 22.0, 14.0], &NOT_NEGATIVE).unwrap();
        assert_eq!(energy.interval.unwrap()[0], 0.0);
        let [low, high] = Mean::of(&[0.4, 0.5, 0.45], &SHARE).unwrap().interval.unwrap();
        assert!(0.0 < low && low < 0.45 && 0.45 < high && high < 1.0, "what lies within is not touched");
        assert_eq!(Mean::of(&[1.0, 1.0], &SHARE).unwrap().interval, Some([1.0, 1.0]));
    }

    #[test]
    fn one_value_has_a_mean_and_no_interval() {
        assert_eq!(Mean::of(&[0.5], &ANY), Some(Mean { mean: 0.5, interval: None, count: 1 }));
        assert_eq!(Mean::of(&[], &ANY), None);
        assert_eq!(Mean::of(&[0.25], &ANY).unwrap().display(2), "0.25");
        assert_eq!(Mean::of(&[1.0, 1.0], &ANY).unwrap().display(1), "1.0 [1.0, 1.0]");
    }
}
