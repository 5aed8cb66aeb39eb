//! Histograms of parameters and states.

/// Counts of values in equal bins between the smallest and the largest, with the moments TensorBoard wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Number of values.
    pub count: f64,
    /// Sum of values.
    pub sum: f64,
    /// Sum of squared values.
    pub sum_squares: f64,
    /// Upper limit of each bin.
    pub limits: Vec<f64>,
    /// Values in each bin.
    pub counts: Vec<f64>,
}

/// Bins of a histogram.
const BINS: usize = 48;

impl Histogram {
    /// The histogram of `values`; none of an empty slice or one with values that are not finite.
    pub fn of(values: &[f32]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let (mut min, mut max, mut sum, mut sum_squares) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for &value in values {
            let value = f64::from(value);
            min = min.min(value);
            max = max.max(value);
            sum += value;
            sum_squares += value * value;
        }
        let width = ((max - min) / BINS as f64).max(f64::MIN_POSITIVE);
        let mut counts = vec![0.0; BINS];
        for &value in values {
            counts[(((f64::from(value) - min) / width) as usize).min(BINS - 1)] += 1.0;
        }
        let limits = (1..=BINS).map(|i| min + width * i as f64).collect();
        Some(Self { min, max, count: values.len() as f64, sum, sum_squares, limits, counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin()).collect();
        let histogram = Histogram::of(&values).unwrap();
        assert_eq!(histogram.counts.iter().sum::<f64>(), 1000.0);
        assert!(histogram.limits.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Histogram::of(&[2.0; 5]).unwrap().counts.iter().sum::<f64>(), 5.0);
        assert_eq!(Histogram::of(&[f32::NAN]), None);
        assert_eq!(Histogram::of(&[]), None);
    }
}
