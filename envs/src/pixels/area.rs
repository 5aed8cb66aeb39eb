//! Resizing by area: every pixel of the result is the mean of the area that it covers, as OpenCV's `INTER_AREA`.

use crate::{Error, Result};

/// Shrinks pictures to a fixed size. Sums are whole numbers; only their division by the area rounds.
#[derive(Clone, Debug)]
pub struct AreaResize {
    rows: Axis,
    columns: Axis,
    /// Weighted sums of the columns under one row of the result.
    sums: Vec<u32>,
}

/// How the pixels along one axis are shared out: each pixel of the result is made of `taps` old ones from its start on,
/// some of weight 0.
#[derive(Clone, Debug)]
struct Axis {
    starts: Vec<usize>,
    /// `[result, taps]`
    weights: Vec<u32>,
    taps: usize,
    /// Sum of the weights of each.
    total: u32,
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        // In units that fit a whole number of times into old pixels as well as new ones.
        let divisor = gcd(from, to);
        let (old, new) = (to / divisor, from / divisor);
        let taps = (0..to).map(|index| ((index + 1) * new).div_ceil(old) - index * new / old).max().unwrap_or(1);
        let starts: Vec<usize> = (0..to).map(|index| (index * new / old).min(from - taps)).collect();
        let weight = |index: usize, pixel: usize| {
            let (left, right) = ((pixel * old).max(index * new), ((pixel + 1) * old).min((index + 1) * new));
            right.saturating_sub(left) as u32
        };
        let weights = starts.iter().enumerate();
        let weights = weights.flat_map(|(index, start)| (0..taps).map(move |tap| weight(index, start + tap))).collect();
        Self { starts, weights, taps, total: new as u32 }
    }

    fn weights(&self, index: usize) -> &[u32] {
        &self.weights[index * self.taps..(index + 1) * self.taps]
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl AreaResize {
    /// From pictures of `from` (height, width) to `to`. Values may be up to `largest`.
    ///
    /// # Errors
    /// [`Error::Config`], key `size`, for a size of 0, one larger than the picture, or one whose sums do not fit 32
    /// bits.
    pub fn new(from: [usize; 2], to: [usize; 2], largest: u32) -> Result<Self> {
        let refused = |allowed: &str| Error::Config {
            key: "size",
            value: format!("{} × {} from {} × {}", to[0], to[1], from[0], from[1]),
            allowed: allowed.into(),
        };
        if to.contains(&0) || to[0] > from[0] || to[1] > from[1] {
            return Err(refused("at least 1 × 1 and at most the picture's size"));
        }
        let (rows, columns) = (Axis::new(from[0], to[0]), Axis::new(from[1], to[1]));
        let total = u64::from(rows.total) * u64::from(columns.total);
        if total * u64::from(largest) > u64::from(u32::MAX) {
            return Err(refused("sides with a common divisor, or fewer pixels: sums of areas do not fit 32 bits"));
        }
        Ok(Self { rows, columns, sums: vec![0; from[1]] })
    }

    /// Height and width of the result.
    pub fn size(&self) -> [usize; 2] {
        [self.rows.starts.len(), self.columns.starts.len()]
    }

    /// The rows of the picture that row `row` of the result is made of.
    pub fn sources(&self, row: usize) -> std::ops::Range<usize> {
        let start = self.rows.starts[row];
        start..start + self.rows.taps
    }

    /// Writes row `row` of the result, in units of `scale`. `lines` are the rows of the picture, one after the other.
    ///
    /// # Panics
    /// If `lines` or `out` are shorter than the picture or a row of the result.
    pub fn row<T: Copy + Into<u32>>(&mut self, row: usize, lines: &[T], scale: u32, out: &mut [u8]) {
        let width = self.sums.len();
        self.sums.fill(0);
        for (source, &weight) in self.sources(row).zip(self.rows.weights(row)) {
            let line = &lines[source * width..(source + 1) * width];
            self.sums.iter_mut().zip(line).for_each(|(sum, &pixel)| *sum += weight * pixel.into());
        }
        let factor = 1.0 / (f64::from(self.rows.total) * f64::from(self.columns.total) * f64::from(scale));
        match self.columns.taps {
            2 => self.columns::<2>(factor as f32, out),
            3 => self.columns::<3>(factor as f32, out),
            taps => {
                let weights = self.columns.weights.chunks_exact(taps);
                for ((out, weights), &start) in out.iter_mut().zip(weights).zip(&self.columns.starts) {
                    let sum: u32 = self.sums[start..start + taps].iter().zip(weights).map(|(sum, w)| sum * w).sum();
                    *out = (sum as f32 * factor as f32 + 0.5) as u8;
                }
            }
        }
    }

    fn columns<const TAPS: usize>(&self, factor: f32, out: &mut [u8]) {
        let (weights, _) = self.columns.weights.as_chunks::<TAPS>();
        for ((out, weights), &start) in out.iter_mut().zip(weights).zip(&self.columns.starts) {
            let under = &self.sums[start..start + TAPS];
            let mut sum = 0;
            for tap in 0..TAPS {
                sum += under[tap] * weights[tap];
            }
            *out = (sum as f32 * factor + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(from: [usize; 2], to: [usize; 2], picture: &[u8]) -> Vec<u8> {
        let mut area = AreaResize::new(from, to, 255).unwrap();
        let mut out = vec![0; to[0] * to[1]];
        for row in 0..to[0] {
            area.row(row, picture, 1, &mut out[row * to[1]..(row + 1) * to[1]]);
        }
        out
    }

    /// The mean over the area of a pixel, by its definition.
    fn mean(from: [usize; 2], to: [usize; 2], picture: &[u8], row: usize, column: usize) -> f64 {
        let overlap = |axis: usize, index: usize, pixel: usize| {
            let scale = from[axis] as f64 / to[axis] as f64;
            let (left, right) = (index as f64 * scale, (index + 1) as f64 * scale);
            ((pixel + 1) as f64).min(right) - (pixel as f64).max(left)
        };
        let mut sum = 0.0;
        for y in 0..from[0] {
            for x in 0..from[1] {
                let area = overlap(0, row, y).max(0.0) * overlap(1, column, x).max(0.0);
                sum += area * f64::from(picture[y * from[1] + x]);
            }
        }
        sum * (to[0] * to[1]) as f64 / (from[0] * from[1]) as f64
    }

    #[test]
    fn pixels_are_the_means_of_their_areas() {
        let mut stream = stpn_random::Stream::from_seed(1);
        for (from, to) in [
            ([210, 160], [84, 84]),
            ([160, 160], [84, 84]),
            ([250, 160], [84, 84]),
            ([7, 5], [3, 2]),
            ([4, 6], [4, 1]),
            ([3, 3], [1, 1]),
            ([5, 9], [5, 9]),
        ] {
            let picture: Vec<u8> = (0..from[0] * from[1]).map(|_| stream.below(256) as u8).collect();
            let out = resize(from, to, &picture);
            for row in (0..to[0]).step_by(1 + to[0] / 9) {
                for column in (0..to[1]).step_by(1 + to[1] / 9) {
                    let expected = mean(from, to, &picture, row, column);
                    let got = f64::from(out[row * to[1] + column]);
                    assert!((got - expected).abs() < 0.501, "{from:?} to {to:?}: {got} in place of {expected}");
                }
            }
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for to in [[0, 1], [1, 0], [11, 1], [1, 21]] {
            let error = AreaResize::new([10, 20], to, 255).unwrap_err().to_string();
            assert!(error.contains("env.size"), "{error}");
        }
        assert!(AreaResize::new([99_991, 99_989], [7, 7], 255).is_err());
    }
}
