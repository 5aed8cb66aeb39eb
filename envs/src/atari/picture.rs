//! From the console's palette to an observation.

use std::ops::Range;

use stpn_atari::Palette;

use super::View;
use crate::pixels::AreaResize;
use crate::{Result, Space};

/// Rows that the published preprocessing cuts from the top and from the bottom.
const CUT: usize = 25;

/// Height and width of small pictures.
const SIZE: [usize; 2] = [84, 84];

/// Makes observations of screens.
#[derive(Debug)]
pub struct Picture {
    kind: Kind,
    shape: Vec<usize>,
}

#[derive(Debug)]
enum Kind {
    Small(Box<Small>),
    Gray(Box<[u8; 256]>),
    Rgb(Box<[[u8; 3]; 256]>),
}

impl Picture {
    /// The published preprocessing of Pong: 25 rows cut from the top and the bottom, 84×84, the mean of red, green and
    /// blue.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for screens too small for it.
    pub fn paper(palette: &Palette, size: [usize; 2]) -> Result<Self> {
        let sum = |rgb: [u8; 3]| rgb.iter().map(|&channel| u16::from(channel)).sum();
        let rows = CUT..size[0].saturating_sub(CUT).max(CUT);
        Self::small(Small::new(rows, size[1], palette.rgb.map(sum), 3)?)
    }

    /// The field's standard: the whole screen in gray, 84×84.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for screens too small for it.
    pub fn deepmind(palette: &Palette, size: [usize; 2]) -> Result<Self> {
        Self::small(Small::new(0..size[0], size[1], palette.gray.map(u16::from), 1)?)
    }

    fn small(small: Small) -> Result<Self> {
        Ok(Self { kind: Kind::Small(Box::new(small)), shape: vec![1, SIZE[0], SIZE[1]] })
    }

    /// The whole screen in gray, as it is.
    pub fn gray(palette: &Palette, size: [usize; 2]) -> Self {
        Self { kind: Kind::Gray(Box::new(palette.gray)), shape: vec![1, size[0], size[1]] }
    }

    /// The whole screen in colour, as it is: three planes.
    pub fn rgb(palette: &Palette, size: [usize; 2]) -> Self {
        Self { kind: Kind::Rgb(Box::new(palette.rgb)), shape: vec![3, size[0], size[1]] }
    }

    /// The space of its observations, `[channels, height, width]`.
    pub fn space(&self) -> Space {
        Space::pixels(self.shape.clone())
    }

    /// Writes the observation.
    ///
    /// # Panics
    /// If the view is of another size than the screens that this was made for, or `out` than the space.
    pub fn write(&mut self, view: View<'_>, out: &mut [u8]) {
        match &mut self.kind {
            Kind::Small(small) => small.write(view, out),
            Kind::Gray(gray) => brighter(view, out, |pixel| gray[usize::from(pixel)]),
            Kind::Rgb(rgb) => {
                for (channel, out) in out.chunks_exact_mut(view.latest.len()).enumerate() {
                    brighter(view, out, |pixel| rgb[usize::from(pixel)][channel]);
                }
            }
        }
    }
}

fn brighter(view: View<'_>, out: &mut [u8], value: impl Fn(u8) -> u8) {
    assert_eq!(view.latest.len(), out.len(), "a buffer of the screen's size");
    out.iter_mut().zip(view.latest).for_each(|(out, &pixel)| *out = value(pixel));
    if let Some(before) = view.before {
        out.iter_mut().zip(before).for_each(|(out, &pixel)| *out = value(pixel).max(*out));
    }
}

/// An 84×84 picture. Most rows of most screens are as they were in the frame before, so rows are kept, and made anew
/// only where the screen has changed. The result does not depend on what is kept.
#[derive(Debug)]
struct Small {
    area: AreaResize,
    /// Rows of the screen that are seen.
    rows: Range<usize>,
    width: usize,
    /// Brightness of a palette index, in units of `scale`.
    table: [u16; 256],
    scale: u32,
    /// The rows of `values`, as palette indices: latest frame and the one before, or twice the latest.
    shown: [Vec<u8>; 2],
    /// Whether `shown` holds anything yet.
    filled: bool,
    /// Brightness of the screen, `rows` × `width`.
    values: Vec<u16>,
    changed: Vec<bool>,
    picture: Vec<u8>,
}

impl Small {
    fn new(rows: Range<usize>, width: usize, table: [u16; 256], scale: u32) -> Result<Self> {
        let area = AreaResize::new([rows.len(), width], SIZE, 255 * scale)?;
        let pixels = rows.len() * width;
        Ok(Self {
            area,
            width,
            table,
            scale,
            shown: [vec![0; pixels], vec![0; pixels]],
            filled: false,
            values: vec![0; pixels],
            changed: vec![true; rows.len()],
            picture: vec![0; SIZE[0] * SIZE[1]],
            rows,
        })
    }

    fn write(&mut self, view: View<'_>, out: &mut [u8]) {
        let seen = self.rows.start * self.width..self.rows.end * self.width;
        let latest = &view.latest[seen.clone()];
        let before = view.before.map_or(latest, |before| &before[seen]);
        let [shown, shown_before] = &mut self.shown;
        let table = |pixel: u8| self.table[usize::from(pixel)];
        for (row, changed) in self.changed.iter_mut().enumerate() {
            let row = row * self.width..(row + 1) * self.width;
            let (new, old) = (&latest[row.clone()], &before[row.clone()]);
            *changed = !self.filled || new != &shown[row.clone()] || old != &shown_before[row.clone()];
            if *changed {
                shown[row.clone()].copy_from_slice(new);
                shown_before[row.clone()].copy_from_slice(old);
                let values = &mut self.values[row];
                values.iter_mut().zip(new).for_each(|(value, &pixel)| *value = table(pixel));
                if new != old {
                    values.iter_mut().zip(old).for_each(|(value, &pixel)| *value = table(pixel).max(*value));
                }
            }
        }
        self.filled = true;
        for (row, line) in self.picture.chunks_exact_mut(SIZE[1]).enumerate() {
            if self.changed[self.area.sources(row)].contains(&true) {
                self.area.row(row, &self.values, self.scale, line);
            }
        }
        out.copy_from_slice(&self.picture);
    }
}

#[cfg(test)]
mod tests {
    use stpn_random::Stream;

    use super::*;

    fn palette() -> Palette {
        Palette {
            rgb: std::array::from_fn(|index| [index as u8, (index * 7) as u8, 255 - index as u8]),
            gray: std::array::from_fn(|index| (index * 3) as u8),
        }
    }

    /// Screens that differ in a few rows each.
    fn screens(size: [usize; 2], count: usize) -> Vec<Vec<u8>> {
        let mut stream = Stream::from_seed(3);
        let mut screen: Vec<u8> = (0..size[0] * size[1]).map(|_| stream.below(256) as u8).collect();
        (0..count)
            .map(|_| {
                for _ in 0..stream.below(4) {
                    let row = stream.below(size[0]) * size[1];
                    screen[row + stream.below(size[1])] = stream.below(256) as u8;
                }
                screen.clone()
            })
            .collect()
    }

    #[test]
    fn kept_rows_change_nothing() {
        for make in [Picture::paper, Picture::deepmind] {
            let size = [210, 160];
            let mut keeping = make(&palette(), size).unwrap();
            let screens = screens(size, 40);
            for (number, pair) in screens.windows(2).enumerate() {
                let before = (number % 3 == 0).then_some(pair[0].as_slice());
                let view = View { latest: &pair[1], before };
                let (mut kept, mut anew) = (vec![0; 84 * 84], vec![0; 84 * 84]);
                keeping.write(view, &mut kept);
                make(&palette(), size).unwrap().write(view, &mut anew);
                assert_eq!(kept, anew, "picture {number}");
            }
        }
    }

    #[test]
    fn one_colour_stays_as_bright_as_it_is() {
        let palette = palette();
        let mut out = vec![0; 84 * 84];
        for index in [0, 17, 200, 255] {
            let screen = vec![index as u8; 210 * 160];
            let view = View { latest: &screen, before: None };
            let mean = (palette.rgb[index].iter().map(|&channel| u32::from(channel)).sum::<u32>() as f64 / 3.0).round();
            Picture::paper(&palette, [210, 160]).unwrap().write(view, &mut out);
            assert_eq!(out, [mean as u8; 84 * 84]);
            Picture::deepmind(&palette, [210, 160]).unwrap().write(view, &mut out);
            assert_eq!(out, [palette.gray[index]; 84 * 84]);
        }
    }

    #[test]
    fn the_paper_does_not_see_the_top_and_the_bottom() {
        let mut screen = vec![8; 210 * 160];
        let mut expected = vec![0; 84 * 84];
        Picture::paper(&palette(), [210, 160]).unwrap().write(View { latest: &screen, before: None }, &mut expected);
        screen[..25 * 160].fill(99);
        screen[185 * 160..].fill(99);
        let mut out = vec![0; 84 * 84];
        Picture::paper(&palette(), [210, 160]).unwrap().write(View { latest: &screen, before: None }, &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn the_brighter_of_two_frames_is_shown() {
        let (latest, before) = ([1, 2, 3, 40], [2, 1, 40, 3]);
        let view = View { latest: &latest, before: Some(&before) };
        let mut out = [0; 4];
        Picture::gray(&palette(), [2, 2]).write(view, &mut out);
        assert_eq!(out, [6, 6, 120, 120]);
        let mut out = [0; 12];
        Picture::rgb(&palette(), [2, 2]).write(view, &mut out);
        // Each channel by itself: the last one falls where the first rises.
        assert_eq!(out, [2, 2, 40, 40, 14, 14, 24, 24, 254, 254, 252, 252]);
    }
}
