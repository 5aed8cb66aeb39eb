//! Means and variances as sums that can be added up: over workers in their order, and over processes.

use serde::{Deserialize, Serialize};

/// n, Σx and Σx² of a set of numbers. The sums of two sets are those of their union.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many.
    pub count: f64,
    /// Σx
    pub sum: f64,
    /// Σx²
    pub squares: f64,
}

impl Moments {
    /// Takes a number in.
    pub fn push(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    /// Takes in all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }

    /// Population variance, never negative; 0 of nothing.
    pub fn variance(&self) -> f64 {
        let mean = self.mean();
        if self.count > 0.0 { (self.squares / self.count - mean * mean).max(0.0) } else { 0.0 }
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        values.into_iter().for_each(|value| moments.push(value));
        moments
    }
}

/// Mean and variance of all that was ever seen, merged batch by batch (Chan, Golub, LeVeque 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// How many.
    pub count: f64,
    /// Mean.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub deviations: f64,
}

impl Running {
    /// Takes in a batch.
    pub fn merge(&mut self, batch: &Moments) {
        if batch.count == 0.0 {
            return;
        }
        let (delta, total) = (batch.mean() - self.mean, self.count + batch.count);
        self.deviations += batch.variance() * batch.count + delta * delta * self.count * batch.count / total;
        self.mean += delta * batch.count / total;
        self.count = total;
    }

    /// Population variance; 1 before anything was seen.
    pub fn variance(&self) -> f64 {
        if self.count > 0.0 { self.deviations / self.count } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::{Purpose, Stream};

    #[test]
    fn merged_batches_have_the_mean_and_variance_of_all_numbers() {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let values: Vec<f64> = (0..1000).map(|i| 50.0 + 3.0 * stream.normal() + 0.01 * f64::from(i)).collect();
        let all: Moments = values.iter().copied().collect();
        let mut running = Running::default();
        let mut sums = Moments::default();
        for batch in values.chunks(37) {
            let batch: Moments = batch.iter().copied().collect();
            running.merge(&batch);
            sums.add(&batch);
        }
        let mean = values.iter().sum::<f64>() / 1000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1000.0;
        for (what, got, expected) in [
            ("mean", running.mean, mean),
            ("variance", running.variance(), variance),
            ("mean of sums", sums.mean(), all.mean()),
            ("variance of sums", sums.variance(), variance),
        ] {
            assert!((got - expected).abs() < 1e-9 * expected, "{what}: {got} {expected}");
        }
    }

    #[test]
    fn nothing_seen_is_the_standard_scale() {
        assert_eq!((Running::default().mean, Running::default().variance()), (0.0, 1.0));
        let mut running = Running::default();
        running.merge(&Moments::default());
        assert_eq!(running, Running::default());
    }
}
