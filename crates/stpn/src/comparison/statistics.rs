//! Means over seeds and how sure they are.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over seeds with its 95 % confidence interval by Student's t with n − 1 degrees of freedom, which takes the
/// seeds' results as independent and normally distributed. A single seed has no interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// The interval's ends.
    pub interval: Option<[f64; 2]>,
    /// Number of values n.
    pub count: usize,
}

impl Mean {
    /// Of `values`; none where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        let interval = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let half = t.inverse_cdf(0.975) * (variance / n).sqrt();
            [mean - half, mean + half]
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
        let three = Mean::of(&[1.0, 2.0, 3.0]).unwrap();
        let [low, high] = three.interval.unwrap();
        let half = 4.302_653 / 3f64.sqrt();
        assert!((three.mean - 2.0).abs() < 1e-12);
        assert!((low - (2.0 - half)).abs() < 1e-5 && (high - (2.0 + half)).abs() < 1e-5, "{three:?}");
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let [low, high] = Mean::of(&values).unwrap().interval.unwrap();
        let half = 2.262_157 * (110.0f64 / 12.0 / 10.0).sqrt();
        assert!((high - low - 2.0 * half).abs() < 1e-5);
    }

    #[test]
    fn one_seed_has_a_mean_and_no_interval() {
        assert_eq!(Mean::of(&[0.5]), Some(Mean { mean: 0.5, interval: None, count: 1 }));
        assert_eq!(Mean::of(&[]), None);
        assert_eq!(Mean::of(&[0.25]).unwrap().display(2), "0.25");
        assert_eq!(Mean::of(&[1.0, 1.0]).unwrap().display(1), "1.0 [1.0, 1.0]");
    }
}
