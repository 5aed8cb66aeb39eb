//! Matrices as heat maps: a PNG of one pixel a value inside an SVG with axes and a colour scale.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::axis::told_apart;
use super::chart::{HEIGHT, TOP};
use super::sheet::{Anchor, FONT, Sheet, WIDTH, width_of};
use crate::{Error, Result};

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Blue below 0, white at 0, red above, symmetric up to `largest` and the same beyond. Linear where a value is small
    /// beside `typical`, logarithmic above it: a few extremes do not leave everything else white.
    Signed {
        /// Size of a usual value.
        typical: f32,
        /// Size that has the full colour.
        largest: f32,
    },
    /// From dark to bright between the least and the greatest value.
    Sequential {
        /// The least.
        low: f32,
        /// The greatest.
        high: f32,
    },
}

const BLUE: [f64; 3] = [33.0, 102.0, 172.0];
const WHITE: [f64; 3] = [247.0, 247.0, 247.0];
const RED: [f64; 3] = [178.0, 24.0, 43.0];
const DARK: [f64; 3] = [68.0, 1.0, 84.0];
const TEAL: [f64; 3] = [33.0, 145.0, 140.0];
const BRIGHT: [f64; 3] = [253.0, 231.0, 37.0];

/// Colours of the bar beside a map, and numbers at it.
const STEPS: usize = 64;
const NUMBERS: usize = 7;
/// From the map to the numbers, the bar between them.
const BAR: f64 = 48.0;

/// A matrix to draw, row-major; row 0 on top.
#[derive(Clone, Debug)]
pub struct HeatMap<'a> {
    /// Values `[rows, columns]`.
    pub values: &'a [f32],
    /// Columns D.
    pub columns: usize,
    /// What the columns are.
    pub x_label: &'a str,
    /// What the rows are.
    pub y_label: &'a str,
    /// What the values are, and their unit.
    pub unit: &'a str,
    /// How values become colours.
    pub scale: Scale,
}

impl HeatMap<'_> {
    /// The picture as an SVG document.
    ///
    /// # Errors
    /// Fails if the matrix is empty or not whole.
    pub fn svg(&self) -> Result<String> {
        let rows = self.values.len().checked_div(self.columns).filter(|rows| rows * self.columns == self.values.len());
        let rows = rows.filter(|&rows| rows > 0).ok_or_else(|| Error::picture("a heat map needs whole rows"))?;
        let pixels: Vec<u8> = self.values.iter().flat_map(|&value| self.scale.color(value)).collect();
        let picture = data_uri(&pixels, self.columns, rows)?;
        let share = |i: usize, of: usize| i as f32 / (of - 1) as f32;
        let bar: Vec<u8> = (0..STEPS).rev().flat_map(|i| self.scale.color(self.scale.value(share(i, STEPS)))).collect();
        let bar = data_uri(&bar, 1, STEPS)?;

        let values: Vec<f64> = (0..NUMBERS).map(|i| f64::from(self.scale.value(share(i, NUMBERS)))).collect();
        let number_at = |(i, text): (usize, String)| match i {
            0 if self.beyond() => format!("≤ {text}"),
            _ if i == NUMBERS - 1 && self.beyond() => format!("≥ {text}"),
            _ => text,
        };
        let numbers: Vec<String> = told_apart(&values).into_iter().enumerate().map(number_at).collect();
        let widest = numbers.iter().map(|text| width_of(text)).fold(0.0, f64::max);
        let (left, right) = (64.0, (BAR + widest + 8.0).max(128.0));
        let (floor, edge) = (TOP + HEIGHT, WIDTH - right);
        let mut sheet = Sheet::default();
        let mut image = |x: f64, width: f64, source: &str| {
            sheet.element(&format!(
                "<image x=\"{x}\" y=\"{TOP}\" width=\"{width}\" height=\"{HEIGHT}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"{source}\"/>"
            ));
        };
        image(left, edge - left, &picture);
        image(edge + 22.0, 18.0, &bar);
        for (i, text) in numbers.iter().enumerate() {
            let y = floor - f64::from(share(i, NUMBERS)) * HEIGHT + 0.35 * FONT;
            sheet.text((edge + BAR, y), Anchor::Start, "soft", text);
        }
        sheet.text((WIDTH - 12.0, 26.0), Anchor::End, "ink", self.unit);
        sheet.text((14.0, 26.0), Anchor::Start, "ink", &format!("↓ {}", self.y_label));
        sheet.text((left, floor + 24.0), Anchor::Start, "soft", "0");
        sheet.text((edge, floor + 24.0), Anchor::End, "soft", &(self.columns - 1).to_string());
        sheet.text((left - 10.0, TOP + 15.0), Anchor::End, "soft", "0");
        sheet.text((left - 10.0, floor), Anchor::End, "soft", &(rows - 1).to_string());
        sheet.text(((left + edge) / 2.0, floor + 50.0), Anchor::Middle, "ink", &format!("{} →", self.x_label));
        Ok(sheet.finish(floor + 66.0))
    }

    /// Whether a value lies beyond the scale.
    fn beyond(&self) -> bool {
        matches!(self.scale, Scale::Signed { largest, .. } if self.values.iter().any(|value| value.abs() > largest))
    }
}

/// Share of the sizes that a signed scale tells apart.
const SHOWN: f64 = 0.99;

impl Scale {
    /// A signed scale for these values: by the median of their sizes, up to what all but a hundredth of them reach.
    pub fn signed<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let mut sizes: Vec<f32> =
            values.into_iter().map(|value| value.abs()).filter(|size| size.is_finite() && *size > 0.0).collect();
        sizes.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| sizes.get((share * sizes.len().saturating_sub(1) as f64) as usize).copied();
        let largest = at(SHOWN).unwrap_or(1.0);
        // Below a thousandth of it nothing is told apart.
        let typical = at(0.5).unwrap_or(1.0).max(1e-3 * largest).max(f32::MIN_POSITIVE);
        Self::Signed { typical, largest: largest.max(typical) }
    }

    /// A scale from the least to the greatest of these values.
    pub fn sequential(values: &[f32]) -> Self {
        let finite = values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match () {
            () if low > high => Self::Sequential { low: 0.0, high: 1.0 },
            () if low == high => Self::Sequential { low: low - 0.5, high: high + 0.5 },
            () => Self::Sequential { low, high },
        }
    }

    /// Where a value lies between the ends, 0 to 1.
    fn place(self, value: f32) -> f32 {
        match self {
            Self::Signed { typical, largest } => 0.5 + 0.5 * (value / typical).asinh() / (largest / typical).asinh(),
            Self::Sequential { low, high } => (value - low) / (high - low),
        }
    }

    /// What lies at a place, 0 to 1.
    fn value(self, place: f32) -> f32 {
        match self {
            Self::Signed { typical, largest } => typical * ((2.0 * place - 1.0) * (largest / typical).asinh()).sinh(),
            Self::Sequential { low, high } => low + place * (high - low),
        }
    }

    /// The colour of a value; black for what is no number.
    pub fn color(self, value: f32) -> [u8; 3] {
        if !value.is_finite() {
            return [0; 3];
        }
        let place = f64::from(self.place(value).clamp(0.0, 1.0)) * 2.0;
        let [a, b, c] = match self {
            Self::Signed { .. } => [BLUE, WHITE, RED],
            Self::Sequential { .. } => [DARK, TEAL, BRIGHT],
        };
        let (from, to, share) = if place < 1.0 { (a, b, place) } else { (b, c, place - 1.0) };
        std::array::from_fn(|i| (from[i] + share * (to[i] - from[i])).round() as u8)
    }
}

/// RGB pixels as a PNG in a `data:` address.
///
/// # Errors
/// [`Error::Picture`] if they are not as many as the sides say.
pub fn data_uri(pixels: &[u8], width: usize, height: usize) -> Result<String> {
    let mut file = Vec::new();
    let [width, height] = [width, height].map(|side| u32::try_from(side).map_err(Error::picture));
    let mut encoder = png::Encoder::new(&mut file, width?, height?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(Error::picture)?;
    writer.write_image_data(pixels).map_err(Error::picture)?;
    writer.finish().map_err(Error::picture)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_white_and_the_ends_are_blue_and_red() {
        let at = |value| Scale::Signed { typical: 0.5, largest: 2.0 }.color(value);
        assert_eq!((at(-2.0), at(0.0), at(2.0)), ([33, 102, 172], [247; 3], [178, 24, 43]));
        assert_eq!(at(f32::NAN), [0; 3]);
    }

    #[test]
    fn one_extreme_left_a_map_white() {
        let values: Vec<f32> = (0..100).map(|i| if i == 0 { 50.0 } else { 0.001 * (i as f32 - 50.0) }).collect();
        let scale = Scale::signed(&values);
        let [red, green, _] = scale.color(0.03);
        assert!(red - green > 20, "a usual value is told from 0: {:?}", scale.color(0.03));
        assert_eq!(scale.color(50.0), [178, 24, 43]);
        for place in [0.0, 0.2, 0.5, 0.9, 1.0] {
            assert!((scale.place(scale.value(place)) - place).abs() < 1e-4, "the bar's numbers are the map's");
        }
    }

    #[test]
    fn maps_of_nothing_but_zeros_have_a_scale() {
        for scale in [Scale::signed(&[0.0, 0.0]), Scale::signed(&[]), Scale::sequential(&[0.0, 0.0])] {
            assert!(scale.value(0.0) < scale.value(1.0), "{scale:?}");
        }
        assert_eq!(Scale::signed(&[0.0; 4]).color(0.0), [247; 3]);
    }

    #[test]
    fn numbers_beside_a_narrow_scale_repeated() {
        let values = [0.9991, 0.9993];
        let map = HeatMap {
            values: &values,
            columns: 2,
            x_label: "",
            y_label: "",
            unit: "",
            scale: Scale::sequential(&values),
        };
        let svg = map.svg().unwrap();
        let mut numbers: Vec<&str> = svg.split('>').filter_map(|part| part.strip_suffix("</text")).collect();
        numbers.retain(|text| text.starts_with("0.99"));
        let count = numbers.len();
        numbers.dedup();
        assert_eq!((count, numbers.len()), (NUMBERS, NUMBERS), "{numbers:?}");
    }

    #[test]
    fn matrices_that_are_not_whole_are_refused() {
        let map = |values, columns| HeatMap {
            values,
            columns,
            x_label: "",
            y_label: "",
            unit: "",
            scale: Scale::sequential(values),
        };
        assert!(map(&[1.0, 2.0, 3.0], 2).svg().is_err());
        assert!(map(&[], 2).svg().is_err());
        assert!(map(&[1.0, 2.0], 2).svg().unwrap().contains("data:image/png"));
    }
}
