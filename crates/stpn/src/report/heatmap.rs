//! Matrices as heat maps: a PNG of one pixel a value inside an SVG with axes and a colour scale.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::chart::{SIZE, number};

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Blue below 0, white at 0, red above, symmetric.
    Diverging,
    /// From dark to bright between the least and the greatest value.
    Sequential,
}

const BLUE: [f64; 3] = [33.0, 102.0, 172.0];
const WHITE: [f64; 3] = [247.0, 247.0, 247.0];
const RED: [f64; 3] = [178.0, 24.0, 43.0];
const DARK: [f64; 3] = [68.0, 1.0, 84.0];
const TEAL: [f64; 3] = [33.0, 145.0, 140.0];
const BRIGHT: [f64; 3] = [253.0, 231.0, 37.0];

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
    /// How values become colours.
    pub scale: Scale,
    /// Ends of the scale; those of the values where absent.
    pub limits: Option<(f32, f32)>,
}

impl HeatMap<'_> {
    /// The picture as an SVG document.
    ///
    /// # Errors
    /// Fails where the matrix is empty or not whole.
    pub fn svg(&self) -> Result<String> {
        let rows = self.values.len().checked_div(self.columns).filter(|rows| rows * self.columns == self.values.len());
        let rows = rows.filter(|&rows| rows > 0).context("a heat map needs whole rows")?;
        let (low, high) = self.limits.unwrap_or_else(|| self.ends());
        let pixels: Vec<u8> = self.values.iter().flat_map(|&value| color(self.scale, value, low, high)).collect();
        let picture = data_uri(&pixels, self.columns, rows)?;
        let steps = 64;
        let ramp: Vec<u8> = (0..steps)
            .rev()
            .flat_map(|i| color(self.scale, low + (high - low) * i as f32 / (steps - 1) as f32, low, high))
            .collect();
        let ramp = data_uri(&ramp, 1, steps)?;

        let (width, height) = SIZE;
        let (left, top, right, bottom) = (76, 14, 110, 56);
        let (inner_width, inner_height) = (width - left - right, height - top - bottom);
        let scale_x = width - right + 24;
        let image = "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"";
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" \
             font-size=\"16\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
             <image x=\"{left}\" y=\"{top}\" width=\"{inner_width}\" height=\"{inner_height}\" {image} \
             href=\"{picture}\"/>\n\
             <image x=\"{scale_x}\" y=\"{top}\" width=\"18\" height=\"{inner_height}\" {image} href=\"{ramp}\"/>\n"
        );
        let mut text = |x: f64, y: f64, anchor: &str, extra: &str, label: &str| {
            svg += &format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"{extra}>{label}</text>\n");
        };
        let (f_left, f_top) = (f64::from(left), f64::from(top));
        let (middle_x, middle_y) = (f_left + f64::from(inner_width) / 2.0, f_top + f64::from(inner_height) / 2.0);
        for i in 0..5 {
            let share = f64::from(i) / 4.0;
            let value = f64::from(high) - share * f64::from(high - low);
            let y = f_top + 5.0 + share * f64::from(inner_height);
            text(f64::from(scale_x) + 24.0, y, "start", "", &number(value));
        }
        let floor = f_top + f64::from(inner_height);
        text(f_left, floor + 20.0, "start", "", "0");
        text(f_left + f64::from(inner_width), floor + 20.0, "end", "", &(self.columns - 1).to_string());
        text(f_left - 8.0, f_top + 12.0, "end", "", "0");
        text(f_left - 8.0, floor, "end", "", &(rows - 1).to_string());
        text(middle_x, f64::from(height) - 12.0, "middle", "", self.x_label);
        let turned = format!(" transform=\"rotate(-90 22 {middle_y})\"");
        text(22.0, middle_y, "middle", &turned, self.y_label);
        svg += "</svg>\n";
        Ok(svg)
    }

    fn ends(&self) -> (f32, f32) {
        let finite = self.values.iter().copied().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match self.scale {
            _ if low > high => (0.0, 1.0),
            Scale::Diverging => {
                let size = low.abs().max(high.abs()).max(f32::MIN_POSITIVE);
                (-size, size)
            }
            Scale::Sequential if low == high => (low - 0.5, high + 0.5),
            Scale::Sequential => (low, high),
        }
    }
}

fn color(scale: Scale, value: f32, low: f32, high: f32) -> [u8; 3] {
    if !value.is_finite() {
        return [0; 3];
    }
    let place = f64::from(((value - low) / (high - low)).clamp(0.0, 1.0)) * 2.0;
    let [a, b, c] = match scale {
        Scale::Diverging => [BLUE, WHITE, RED],
        Scale::Sequential => [DARK, TEAL, BRIGHT],
    };
    let (from, to, share) = if place < 1.0 { (a, b, place) } else { (b, c, place - 1.0) };
    std::array::from_fn(|i| (from[i] + share * (to[i] - from[i])).round() as u8)
}

/// RGB pixels as a PNG in a `data:` address.
pub fn data_uri(pixels: &[u8], width: usize, height: usize) -> Result<String> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().context("cannot encode a picture")?;
    writer.write_image_data(pixels).context("cannot encode a picture")?;
    writer.finish().context("cannot encode a picture")?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_white_and_the_ends_are_blue_and_red() {
        let at = |value| color(Scale::Diverging, value, -2.0, 2.0);
        assert_eq!((at(-2.0), at(0.0), at(2.0)), ([33, 102, 172], [247; 3], [178, 24, 43]));
        assert_eq!(at(f32::NAN), [0; 3]);
    }

    #[test]
    fn matrices_that_are_not_whole_are_refused() {
        let map = |values, columns| HeatMap {
            values,
            columns,
            x_label: "",
            y_label: "",
            scale: Scale::Sequential,
            limits: None,
        };
        assert!(map(&[1.0, 2.0, 3.0], 2).svg().is_err());
        assert!(map(&[], 2).svg().is_err());
        assert!(map(&[1.0, 2.0], 2).svg().unwrap().contains("data:image/png"));
    }
}
