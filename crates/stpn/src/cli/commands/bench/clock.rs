//! Times of repeated calls.

use std::time::Instant;

use anyhow::Result;

/// Seconds of each of `repeats` calls, after `warmup` that are not counted, sorted.
pub fn time(warmup: usize, repeats: usize, mut run: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut seconds = Vec::with_capacity(repeats);
    for number in 0..warmup + repeats.max(1) {
        let start = Instant::now();
        run()?;
        if number >= warmup {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// The median of sorted values.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { sorted[middle - 1].midpoint(sorted[middle]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(super::median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(super::median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
