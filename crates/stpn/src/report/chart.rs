//! Line and scatter charts: curves with their seeds or intervals, references, and a legend below.

use std::ops::{Range, RangeInclusive};

use super::axis::{marks, number, padded, span, with_references};
use super::legend::{self, Sample};
use super::sheet::{Anchor, FONT, Sheet, WIDTH, dashes, shortened, width_of};
use crate::comparison::statistics::ANY;

/// Height of the plotting area.
pub const HEIGHT: f64 = 320.0;
/// Where it begins, below the name of y.
pub const TOP: f64 = 44.0;
/// What lies to its right.
pub const RIGHT: f64 = 26.0;
/// Numbers and name of x below it.
pub const BELOW: f64 = 66.0;
/// Room inside it for a note on a reference beyond.
const NOTE: f64 = 28.0;
/// Dashes of references, in their order.
const LEVELS: [&str; 2] = ["2 10", "22 4"];

/// One series: its mean, and its seeds or an interval around it where there are some.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The number of its colour and dashes.
    pub style: usize,
    /// x and y, by rising x.
    pub points: Vec<(f64, f64)>,
    /// x, lower and upper end of the interval.
    pub band: Vec<(f64, f64, f64)>,
    /// Every seed by itself, drawn thin.
    pub seeds: Vec<Vec<(f64, f64)>>,
}

/// A point of a series.
#[derive(Clone, Debug)]
pub struct Dot {
    /// Its name in the legend.
    pub name: String,
    /// The number of its colour and mark.
    pub style: usize,
    /// x and y.
    pub at: (f64, f64),
    /// The intervals in x and y, where there are some.
    pub intervals: [Option<[f64; 2]>; 2],
}

/// A chart of lines and dots on linear axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Name and unit of x.
    pub x_label: String,
    /// Name and unit of y.
    pub y_label: String,
    /// What x can be.
    pub possible_x: RangeInclusive<f64>,
    /// What y can be.
    pub possible_y: RangeInclusive<f64>,
    /// Lines, drawn in order.
    pub lines: Vec<Line>,
    /// Horizontal lines with their names, e.g. the random policy and the oracle.
    pub levels: Vec<(String, f64)>,
    /// Dots, drawn in order.
    pub dots: Vec<Dot>,
}

impl Default for Chart {
    fn default() -> Self {
        Self {
            x_label: String::new(),
            y_label: String::new(),
            possible_x: ANY,
            possible_y: ANY,
            lines: Vec::new(),
            levels: Vec::new(),
            dots: Vec::new(),
        }
    }
}

impl Chart {
    /// The chart as an SVG document.
    pub fn svg(&self) -> String {
        let mut sheet = Sheet::default();
        let y_range = self.y_range();
        let beyond = |above: bool| {
            let far = move |value: f64| if above { value > y_range.end } else { value < y_range.start };
            self.levels.iter().filter(|(_, level)| far(*level)).collect::<Vec<_>>()
        };
        let (above, below) = (beyond(true), beyond(false));
        let room = |notes: &[_]| NOTE * notes.len() as f64;
        let frame = Frame { x: self.x_range(), y: self.y_range(), left: 0.0, inset: (room(&above), room(&below)) };
        let frame = frame.with_axes(&mut sheet, &self.x_label, &self.y_label);
        let edge = WIDTH - RIGHT - 6.0;
        for (i, (name, level)) in above.iter().enumerate() {
            let at = (edge, TOP + NOTE * (i as f64 + 0.72));
            sheet.text(at, Anchor::End, "soft", &shortened(&format!("↑ {name} {}", number(*level)), edge - frame.left));
        }
        for (i, (name, level)) in below.iter().enumerate() {
            let at = (edge, TOP + HEIGHT - NOTE * i as f64 - 8.0);
            sheet.text(at, Anchor::End, "soft", &shortened(&format!("↓ {name} {}", number(*level)), edge - frame.left));
        }
        let mut entries = self.draw_series(&mut sheet, &frame);
        // From below, so that the random policy looks alike everywhere.
        let mut levels: Vec<_> = self.levels.iter().collect();
        levels.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        for (i, (name, level)) in levels.into_iter().enumerate() {
            if frame.y.contains(level) || frame.y.end == *level {
                let ends = [frame.x.start, frame.x.end].map(|x| frame.place((x, *level)));
                sheet.line(ends[0], ends[1], "level", LEVELS[i % LEVELS.len()]);
                entries.push((Sample::Level(LEVELS[i % LEVELS.len()]), format!("{name} {}", number(*level))));
            }
        }
        let end = legend::draw(&mut sheet, &entries, TOP + HEIGHT + BELOW);
        sheet.finish(end + 10.0)
    }

    /// Lines and dots; returns what the legend says of them.
    fn draw_series(&self, sheet: &mut Sheet, frame: &Frame) -> Vec<(Sample, String)> {
        let mut entries = Vec::new();
        for line in self.lines.iter().filter(|line| !line.band.is_empty()) {
            let upper = line.band.iter().map(|&(x, _, upper)| frame.place((x, upper)));
            let lower = line.band.iter().rev().map(|&(x, lower, _)| frame.place((x, lower)));
            sheet.colored(line.style, |sheet| sheet.polygon(upper.chain(lower), 0.16));
        }
        for line in &self.lines {
            sheet.colored(line.style, |sheet| {
                for seed in &line.seeds {
                    sheet.polyline(seed.iter().map(|&at| frame.place(at)), 1.0, 0.55, "");
                }
            });
        }
        for line in &self.lines {
            sheet.colored(line.style, |sheet| match line.points[..] {
                // A line through one point would not show.
                [only] => sheet.mark(line.style, frame.place(only), 5.0),
                ref points => {
                    sheet.polyline(points.iter().map(|&at| frame.place(at)), 2.6, 1.0, dashes(line.style));
                }
            });
            entries.push((Sample::Line(line.style), line.name.clone()));
        }
        for dot in &self.dots {
            let ((x, y), [in_x, in_y]) = (dot.at, dot.intervals);
            let across = in_x.map(|[low, high]| [(low, y), (high, y)]);
            let upright = in_y.map(|[low, high]| [(x, low), (x, high)]);
            sheet.colored(dot.style, |sheet| {
                for bar in across.into_iter().chain(upright) {
                    sheet.polyline(bar.map(|at| frame.place(at)), 1.5, 0.6, "");
                }
                sheet.mark(dot.style, frame.place(dot.at), 7.0);
            });
            entries.push((Sample::Mark(dot.style), dot.name.clone()));
        }
        // What the axis names already needs no legend.
        if entries.len() == 1 && self.levels.is_empty() { Vec::new() } else { entries }
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.lines.iter().flat_map(|line| line.points.iter().chain(line.seeds.iter().flatten()))
    }

    fn x_range(&self) -> Range<f64> {
        let dots = self.dots.iter().flat_map(|dot| dot.intervals[0].unwrap_or([dot.at.0; 2]));
        let range = span(self.points().map(|&(x, _)| x).chain(dots));
        if self.dots.is_empty() { range } else { padded(&range, &self.possible_x) }
    }

    fn y_range(&self) -> Range<f64> {
        let bands = self.lines.iter().flat_map(|line| line.band.iter().flat_map(|&(_, low, high)| [low, high]));
        let dots = self.dots.iter().flat_map(|dot| dot.intervals[1].unwrap_or([dot.at.1; 2]));
        let data = span(self.points().map(|&(_, y)| y).chain(bands).chain(dots));
        padded(&with_references(data, self.levels.iter().map(|(_, level)| *level)), &self.possible_y)
    }
}

/// Axes, and where values lie between them.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What the width shows.
    pub x: Range<f64>,
    /// What the height shows.
    pub y: Range<f64>,
    /// Where the plotting area begins.
    pub left: f64,
    /// Room above the greatest and below the least y.
    pub inset: (f64, f64),
}

impl Frame {
    /// Draws axes with numbers on both; returns the frame as wide as they leave it.
    pub fn with_axes(self, sheet: &mut Sheet, x_label: &str, y_label: &str) -> Self {
        let along = marks(&self.x, 5);
        self.with_marks(sheet, x_label, y_label, &along)
    }

    /// The same with these marks along x.
    pub fn with_marks(mut self, sheet: &mut Sheet, x_label: &str, y_label: &str, along: &[(f64, String)]) -> Self {
        let heights = marks(&self.y, 5);
        self.left = heights.iter().map(|(_, name)| width_of(name)).fold(30.0, f64::max) + 22.0;
        let (right, floor) = (WIDTH - RIGHT, TOP + HEIGHT);
        for (y, name) in heights {
            let (_, at) = self.place((self.x.start, y));
            sheet.line((self.left, at), (right, at), "grid", "");
            sheet.text((self.left - 10.0, at + 0.35 * FONT), Anchor::End, "soft", &name);
        }
        for (x, name) in along {
            let (at, _) = self.place((*x, self.y.start));
            sheet.line((at, floor), (at, floor + 6.0), "axis", "");
            // The last one does not leave the sheet.
            let at = at.min(WIDTH - width_of(name) / 2.0 - 2.0);
            sheet.text((at, floor + 26.0), Anchor::Middle, "soft", name);
        }
        sheet.line((self.left, floor), (right, floor), "axis", "");
        sheet.line((self.left, TOP), (self.left, floor), "axis", "");
        sheet.text((14.0, 26.0), Anchor::Start, "ink", &shortened(y_label, WIDTH - 20.0));
        let middle = (self.left + right) / 2.0;
        sheet.text((middle, floor + 52.0), Anchor::Middle, "ink", &shortened(x_label, WIDTH - 20.0));
        self
    }

    /// Where a value lies on the sheet.
    pub fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, range: &Range<f64>| (value - range.start) / (range.end - range.start);
        let (above, below) = self.inset;
        let height = HEIGHT - above - below;
        (self.left + share(x, &self.x) * (WIDTH - RIGHT - self.left), TOP + HEIGHT - below - share(y, &self.y) * height)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::DASHES;
    use super::*;
    use crate::comparison::statistics::SHARE;

    #[test]
    fn references_had_the_dashes_of_series() {
        let measures = |dash: &str| {
            let lengths: Vec<f64> = dash.split_whitespace().map(|length| length.parse().unwrap()).collect();
            let period = lengths.iter().sum::<f64>().max(1.0);
            let drawn = if lengths.is_empty() { 1.0 } else { lengths.iter().step_by(2).sum::<f64>() / period };
            (drawn, period)
        };
        let all: Vec<&str> = DASHES.into_iter().chain(LEVELS).collect();
        for (i, one) in all.iter().enumerate() {
            for other in &all[..i] {
                let ((drawn, period), (other_drawn, other_period)) = (measures(one), measures(other));
                let ratio = (period / other_period).max(other_period / period);
                assert!((drawn - other_drawn).abs() > 0.15 || ratio > 1.5, "`{one}` and `{other}`");
            }
        }
    }

    fn line(name: &str, style: usize) -> Line {
        Line {
            name: name.into(),
            style,
            points: vec![(0.0, 0.2), (1.0, 0.9)],
            band: vec![(0.0, 0.1, 0.3), (1.0, 0.8, 1.0)],
            ..Line::default()
        }
    }

    #[test]
    fn every_line_is_drawn_once_and_the_document_scales() {
        let svg = Chart { lines: vec![line("a", 0), line("b<", 4)], ..Chart::default() }.svg();
        assert_eq!(svg.matches("stroke-width=\"2.6\"").count(), 2, "{svg}");
        assert!(svg.starts_with("<svg viewBox"), "{}", &svg[..60]);
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains(">b&lt;</text>"), "{svg}");
    }

    #[test]
    fn a_legend_hid_the_curves() {
        let lines = (0..9).map(|i| line(&format!("a long name of series {i}"), i)).collect();
        let svg = Chart { lines, ..Chart::default() }.svg();
        let height = |text: &str| {
            let tag = svg.split("<text").find(|tag| tag.contains(text)).unwrap();
            tag.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
        };
        let sheet: f64 = svg.split('"').nth(1).unwrap().split(' ').nth(3).unwrap().parse().unwrap();
        for i in 0..9 {
            let at = height(&format!("series {i}"));
            assert!(at > TOP + HEIGHT && at < sheet, "series {i} at {at} of {sheet}");
        }
    }

    #[test]
    fn an_oracle_far_off_pressed_the_curves_to_the_floor() {
        let levels = vec![("random policy".to_string(), 0.15), ("oracle".to_string(), 270.4)];
        let chart = Chart { lines: vec![line("stpn", 0)], levels, ..Chart::default() };
        assert!(chart.y_range().end < 2.0, "{:?}", chart.y_range());
        let svg = chart.svg();
        assert!(svg.contains("↑ oracle 270<") && svg.contains(">random policy 0.15<"), "{svg}");
        assert_eq!(svg.matches("class=\"level\"").count(), 2, "a line and its sample, for the near one alone");
    }

    #[test]
    fn a_long_note_left_the_chart() {
        let levels = vec![("a reference whose name is far longer than any chart is wide, ".repeat(3), 900.0)];
        let svg = Chart { lines: vec![line("stpn", 0)], levels, ..Chart::default() }.svg();
        let note = svg.split('>').find(|text| text.starts_with('↑')).unwrap();
        assert!(note.contains('…') && width_of(note) < WIDTH, "{note}");
    }

    #[test]
    fn what_is_impossible_is_on_no_axis() {
        let chart = Chart { lines: vec![line("stpn", 0)], possible_y: SHARE, ..Chart::default() };
        let range = chart.y_range();
        assert!(range.start >= 0.0 && range.end == 1.0, "{range:?}");
        let at = Dot { name: "stpn".into(), style: 0, at: (0.1, 1.0), intervals: [Some([0.0, 2.0]), None] };
        let chart = Chart { dots: vec![at], possible_x: 0.0..=f64::INFINITY, possible_y: SHARE, ..Chart::default() };
        assert_eq!(chart.x_range().start, 0.0);
    }

    #[test]
    fn an_empty_chart_is_an_empty_frame() {
        assert!(Chart::default().svg().contains("</svg>"));
    }
}
