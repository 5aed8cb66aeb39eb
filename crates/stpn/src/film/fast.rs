//! The fast weights as a picture beside that of an environment.

use super::picture::Picture;
use crate::report::heatmap::Scale;

/// How much smaller than the largest a usual fast weight is taken to be.
const TYPICAL: f32 = 0.03;

/// Bits of a channel that are not told apart.
const STEP: u8 = 7;

/// The fast weights `[H, D]` after a step.
#[derive(Clone, Copy, Debug)]
pub struct FastMap<'a> {
    /// Row-major.
    pub values: &'a [f32],
    /// Columns D.
    pub columns: usize,
    /// The largest that was seen in the episode so far.
    pub largest: f32,
}

impl FastMap<'_> {
    /// A map of this size. A pixel that stands for several synapses shows the strongest of them.
    pub fn picture(&self, width: usize, height: usize) -> Picture {
        let largest = self.largest.max(f32::MIN_POSITIVE / TYPICAL);
        let scale = Scale::Signed { typical: TYPICAL * largest, largest };
        let rows = self.values.len() / self.columns.max(1);
        let part = |i: usize, of: usize, all: usize| {
            let from = i * all / of;
            from..((i + 1) * all / of).max(from + 1).min(all)
        };
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let columns = part(x, width, self.columns);
                let block = part(y, height, rows).flat_map(|row| {
                    let start = row * self.columns;
                    &self.values[start + columns.start..start + columns.end]
                });
                let strongest = block.copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
                // In steps: a GIF has room for 256 colours, the maze's among them.
                rgb.extend(scale.color(strongest.unwrap_or(0.0)).map(|channel| channel | STEP));
            }
        }
        Picture { width: width as u16, height: height as u16, rgb }
    }
}

/// Two pictures of one height side by side, with a gap between them.
pub fn beside(left: &Picture, right: &Picture, gap: usize) -> Picture {
    let row = |picture: &Picture, y: usize| {
        let length = 3 * usize::from(picture.width);
        picture.rgb[y * length..(y + 1) * length].to_vec()
    };
    let height = left.height.min(right.height);
    let rgb = (0..usize::from(height)).flat_map(|y| [row(left, y), vec![255; 3 * gap], row(right, y)].concat());
    Picture { width: left.width + right.width + gap as u16, height, rgb: rgb.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_shows_the_strongest_synapse_that_it_stands_for() {
        let values = [0.0, 0.0, -1.0, 0.0, 0.5, 0.0, 0.0, 0.0];
        let map = FastMap { values: &values, columns: 4, largest: 1.0 };
        let small = map.picture(2, 1);
        assert_eq!(small.rgb[3..], [39, 103, 175], "the right half holds -1");
        assert!(small.rgb[0] > small.rgb[2], "the left half holds 0.5: {:?}", &small.rgb[..3]);
        // Larger than the matrix: every synapse is several pixels.
        let large = map.picture(8, 4);
        assert_eq!(large.rgb.len(), 8 * 4 * 3);
        assert_eq!(large.rgb[3 * 4..3 * 5], [39, 103, 175]);
        let ramp: Vec<f32> = (-500..500).map(|i| i as f32 / 500.0).collect();
        let pixels = FastMap { values: &ramp, columns: 1000, largest: 1.0 }.picture(1000, 1).rgb;
        let colours: std::collections::HashSet<&[u8]> = pixels.chunks_exact(3).collect();
        assert!((60..200).contains(&colours.len()), "{} colours", colours.len());
        let none = FastMap { values: &[0.0; 8], columns: 4, largest: 0.0 };
        assert!(none.picture(2, 2).rgb.iter().all(|&channel| channel == 247));
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let one = |value| Picture { width: 1, height: 2, rgb: vec![value; 6] };
        let both = beside(&one(1), &one(2), 1);
        assert_eq!((both.width, both.height), (3, 2));
        assert_eq!(both.rgb, [1, 1, 1, 255, 255, 255, 2, 2, 2].repeat(2));
    }
}
