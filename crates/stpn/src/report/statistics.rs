//! Means over seeds with their intervals.

/// A mean and the half-width of its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; absent for a single value.
    pub half: Option<f64>,
}

/// Two-sided 97.5 % points of Student's t for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The mean of independent values with its 95 % interval by Student's t (the normal value beyond 31 values).
///
/// `None` where there is no value.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let half = (n > 1).then(|| {
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        STUDENT.get(n - 2).copied().unwrap_or(1.96) * (variance / n as f64).sqrt()
    });
    Some(Estimate { mean, half })
}

/// Running mean over the last `window` values.
pub fn smoothed(values: &[f64], window: usize) -> Vec<f64> {
    let window = window.max(1);
    let mut total = 0.0;
    values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            total += value;
            if i >= window {
                total -= values[i - window];
            }
            total / window.min(i + 1) as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_three_values_is_students() {
        let Estimate { mean, half } = estimate(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(mean, 2.0);
        assert!((half.unwrap() - 4.303 / 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(estimate(&[5.0]).unwrap(), Estimate { mean: 5.0, half: None });
        assert!(estimate(&[]).is_none());
    }

    #[test]
    fn smoothing_is_the_mean_of_the_last_values() {
        let smooth = smoothed(&[1.0, 3.0, 5.0, 7.0], 2);
        assert_eq!(smooth, [1.0, 2.0, 4.0, 6.0]);
    }
}
