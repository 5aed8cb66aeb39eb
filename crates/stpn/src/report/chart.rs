//! Line, scatter and bar charts as SVG, by plotters.

use std::error::Error as StdError;
use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::RGBColor;

/// Letters of a name that a legend has room for.
const NAME: usize = 40;

/// Width and height of a chart in its own units; pages scale it.
pub const SIZE: (u32, u32) = (640, 400);

/// Font size that stays readable where a phone scales a chart down to half.
const FONT: (&str, u32) = ("sans-serif", 20);

/// One line, with an interval around it where `band` has points.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub color: (u8, u8, u8),
    /// x and y, by rising x.
    pub points: Vec<(f64, f64)>,
    /// x, lower and upper end of the interval.
    pub band: Vec<(f64, f64, f64)>,
}

/// A point with its name beside it.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Its label.
    pub name: String,
    /// Its colour.
    pub color: (u8, u8, u8),
    /// x and y.
    pub at: (f64, f64),
    /// The intervals in x and y, where there are some.
    pub intervals: [Option<[f64; 2]>; 2],
}

/// A chart of lines and dots on linear axes.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Name and unit of x.
    pub x_label: String,
    /// Name and unit of y.
    pub y_label: String,
    /// Lines, drawn in order.
    pub lines: Vec<Line>,
    /// Horizontal lines with their names, e.g. the random policy and the oracle.
    pub levels: Vec<(String, f64)>,
    /// Dots, drawn in order.
    pub dots: Vec<Dot>,
}

impl Chart {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Fails where nothing finite is to be drawn.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| anyhow!("cannot draw a chart: {error}"))?;
        Ok(responsive(&svg))
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn StdError + '_>> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (x, y) = (self.x_range(), self.y_range());
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .margin_right(24)
            .x_label_area_size(58)
            .y_label_area_size(88)
            .build_cartesian_2d(x.clone(), y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .axis_style(BLACK.mix(0.4))
            .label_style(FONT)
            .axis_desc_style(FONT)
            .x_labels(6)
            .y_labels(7)
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| number(*value))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .draw()?;
        for (name, level) in &self.levels {
            let ends = [(x.start, *level), (x.end, *level)];
            chart.draw_series(DashedLineSeries::new(ends, 6, 5, BLACK.mix(0.5).stroke_width(1)))?;
            let at = (x.start + 0.01 * (x.end - x.start), *level);
            chart.draw_series([Text::new(name.clone(), at, FONT.into_font().color(&BLACK.mix(0.6)))])?;
        }
        for line in &self.lines {
            let upper = line.band.iter().map(|&(x, _, upper)| (x, upper));
            let lower = line.band.iter().rev().map(|&(x, lower, _)| (x, lower));
            let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
            if !outline.is_empty() {
                chart.draw_series([Polygon::new(outline, rgb(line.color).mix(0.16))])?;
            }
        }
        for line in &self.lines {
            let color = rgb(line.color);
            if let [only] = line.points[..] {
                // A line through one point would not show.
                chart.draw_series([Circle::new(only, 4, color.filled())])?;
            }
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(2)))?
                .label(shortened(&line.name))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
        }
        for dot in &self.dots {
            let (color, (x, y), [in_x, in_y]) = (rgb(dot.color), dot.at, dot.intervals);
            let across = in_x.map(|[low, high]| [(low, y), (high, y)]);
            let upright = in_y.map(|[low, high]| [(x, low), (x, high)]);
            let bars = across.into_iter().chain(upright);
            chart.draw_series(bars.map(|bar| PathElement::new(bar, color.mix(0.6).stroke_width(1))))?;
            chart.draw_series([Circle::new(dot.at, 6, color.filled())])?;
            let label = EmptyElement::at(dot.at) + Text::new(dot.name.clone(), (9, -8), FONT.into_font().color(&color));
            chart.draw_series([label])?;
        }
        if self.lines.len() > 1 {
            chart
                .configure_series_labels()
                .position(self.legend(&self.x_range(), &self.y_range()))
                .background_style(WHITE.mix(0.8))
                .label_font(FONT)
                .draw()?;
        }
        root.present()?;
        Ok(())
    }

    /// The corner in which a legend hides the fewest points.
    fn legend(&self, x: &Range<f64>, y: &Range<f64>) -> SeriesLabelPosition {
        use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
        let longest = self.lines.iter().map(|line| shortened(&line.name).chars().count()).max().unwrap_or(0);
        // Shares of the plotting area, by the size of the font.
        let width = (60.0 + 9.0 * longest as f64) / f64::from(SIZE.0 - 112);
        let height = (16.0 + 25.0 * self.lines.len() as f64) / f64::from(SIZE.1 - 82);
        let share = |value: f64, range: &Range<f64>| (value - range.start) / (range.end - range.start);
        let points = || self.lines.iter().flat_map(|line| &line.points).map(|&(at, to)| (share(at, x), share(to, y)));
        let hidden = |corner: &SeriesLabelPosition| {
            let beside = |x: f64| if matches!(corner, UpperLeft | LowerLeft) { x < width } else { x > 1.0 - width };
            let across = |y: f64| if matches!(corner, LowerLeft | LowerRight) { y < height } else { y > 1.0 - height };
            points().filter(|&(x, y)| beside(x) && across(y)).count()
        };
        [UpperLeft, UpperRight, LowerRight, LowerLeft].into_iter().min_by_key(hidden).unwrap_or(UpperLeft)
    }

    fn x_range(&self) -> Range<f64> {
        let lines = self.lines.iter().flat_map(|line| line.points.iter().map(|&(x, _)| x));
        let dots = self.dots.iter().flat_map(|dot| dot.intervals[0].unwrap_or([dot.at.0; 2]));
        let range = span(lines.chain(dots));
        // Labels of dots stand to their right.
        if self.dots.is_empty() { range } else { padded(range.start..range.end + 0.15 * (range.end - range.start)) }
    }

    fn y_range(&self) -> Range<f64> {
        let lines = self.lines.iter().flat_map(|line| line.points.iter().map(|&(_, y)| y));
        let bands = self.lines.iter().flat_map(|line| line.band.iter().flat_map(|&(_, low, high)| [low, high]));
        let levels = self.levels.iter().map(|(_, level)| *level);
        let dots = self.dots.iter().flat_map(|dot| dot.intervals[1].unwrap_or([dot.at.1; 2]));
        padded(span(lines.chain(bands).chain(levels).chain(dots)))
    }
}

/// A histogram's bars between `edges` (one more than there are bars), with edges at even distances on the axis.
///
/// # Errors
/// Fails where there is no bar.
pub fn bars(x_label: &str, y_label: &str, edges: &[f64], counts: &[f64], color: (u8, u8, u8)) -> Result<String> {
    let mut svg = String::new();
    draw_bars(&mut svg, x_label, y_label, edges, counts, color)
        .map_err(|error| anyhow!("cannot draw a histogram: {error}"))?;
    Ok(responsive(&svg))
}

fn draw_bars<'a>(
    svg: &'a mut String,
    x_label: &str,
    y_label: &str,
    edges: &[f64],
    counts: &[f64],
    color: (u8, u8, u8),
) -> Result<(), Box<dyn StdError + 'a>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let high = counts.iter().copied().fold(1.0, f64::max) * 1.05;
    let edge = |place: f64| edges.get(place.round() as usize).map_or(String::new(), |&edge| number(edge));
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(24)
        .x_label_area_size(58)
        .y_label_area_size(88)
        .build_cartesian_2d(0.0..counts.len().max(1) as f64, 0.0..high)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .axis_style(BLACK.mix(0.4))
        .label_style(FONT)
        .axis_desc_style(FONT)
        .x_labels(7)
        .x_label_formatter(&|place| edge(*place))
        .y_label_formatter(&|value| number(*value))
        .x_desc(x_label)
        .y_desc(y_label)
        .draw()?;
    let bar = |(i, &count): (usize, &f64)| {
        Rectangle::new([(i as f64 + 0.06, 0.0), (i as f64 + 0.94, count)], rgb(color).filled())
    };
    chart.draw_series(counts.iter().enumerate().map(bar))?;
    root.present()?;
    Ok(())
}

/// A name that fits a legend; the page has the whole of it.
fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        name.to_string()
    } else {
        name.chars().take(NAME - 1).collect::<String>() + "…"
    }
}

/// A colour for plotters.
pub fn rgb((r, g, b): (u8, u8, u8)) -> RGBColor {
    RGBColor(r, g, b)
}

/// An SVG document that takes the width of what it stands in: without a size of its own, with its proportions.
pub fn responsive(svg: &str) -> String {
    let (width, height) = SIZE;
    svg.replacen(&format!("<svg width=\"{width}\" height=\"{height}\""), "<svg", 1)
}

/// 1234567 → `1.2M`; small numbers with three significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    let plain = |value: f64, digits: usize| {
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        if text == "-0" { "0".to_string() } else { text.to_string() }
    };
    match size {
        _ if size >= 1e9 => format!("{}G", plain(value / 1e9, 1)),
        _ if size >= 1e6 => format!("{}M", plain(value / 1e6, 1)),
        _ if size >= 1e4 => format!("{}k", plain(value / 1e3, 1)),
        _ if size >= 100.0 => plain(value, 0),
        _ if size >= 1.0 => plain(value, 2),
        _ if size >= 1e-3 || size == 0.0 => plain(value, 4),
        _ => format!("{value:.1e}"),
    }
}

/// From the least to the greatest of the finite values; a range of length 1 where there is none.
fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match () {
        () if low > high => 0.0..1.0,
        () if low == high => low - 0.5..high + 0.5,
        () => low..high,
    }
}

fn padded(range: Range<f64>) -> Range<f64> {
    let margin = 0.06 * (range.end - range.start);
    range.start - margin..range.end + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 12_800_000.0, 50_000.0, 271.4, 3.25, 0.0125, 2e-5, -0.00001].map(number);
        assert_eq!(shown, ["0", "12.8M", "50k", "271", "3.25", "0.0125", "2.0e-5", "-1.0e-5"]);
    }

    #[test]
    fn every_line_is_drawn_once_and_the_document_scales() {
        let line = |name: &str| Line {
            name: name.into(),
            color: (1, 2, 3),
            points: vec![(0.0, 1.0), (1.0, 2.0)],
            band: vec![(0.0, 0.5, 1.5), (1.0, 1.5, 2.5)],
        };
        let chart = Chart { lines: vec![line("a"), line("b")], ..Chart::default() };
        let svg = chart.svg().unwrap();
        assert_eq!(svg.matches("stroke=\"#010203\" stroke-width=\"2\"").count(), 2, "{svg}");
        assert!(svg.starts_with("<svg viewBox"), "{}", &svg[..60]);
    }

    #[test]
    fn a_legend_hid_the_curves() {
        let line = |name: &str, points: [(f64, f64); 3]| Line {
            name: name.into(),
            color: (1, 2, 3),
            points: points.to_vec(),
            band: Vec::new(),
        };
        let place = |points| {
            let chart = Chart { lines: vec![line("a", points), line("b", points)], ..Chart::default() };
            chart.legend(&chart.x_range(), &chart.y_range())
        };
        let rising = place([(0.0, 0.0), (0.5, 0.9), (1.0, 1.0)]);
        assert!(matches!(rising, SeriesLabelPosition::UpperLeft));
        let falling = place([(0.0, 1.0), (0.05, 0.9), (1.0, 0.0)]);
        assert!(matches!(falling, SeriesLabelPosition::UpperRight));
    }

    #[test]
    fn an_empty_chart_is_an_empty_frame() {
        assert!(Chart::default().svg().unwrap().contains("</svg>"));
    }
}
