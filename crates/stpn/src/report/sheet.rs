//! A sheet on which figures are drawn, as SVG: light or dark as its reader's system is, and as wide as what it stands in.

use std::fmt::Write as _;

/// Width of a figure in its own units; pages scale it.
pub const WIDTH: f64 = 600.0;

/// Font size that stays readable on a phone, where a figure is scaled down to 0.6.
pub const FONT: f64 = 20.0;

/// Colours of series on white and on dark, told apart by most forms of colour blindness with their dashes.
pub const COLORS: [[&str; 2]; 12] = [
    ["#c9374c", "#ff7a85"],
    ["#00798c", "#35bfd0"],
    ["#d18a00", "#f2b84b"],
    ["#2b5fb8", "#7aa7ff"],
    ["#4f8a2f", "#8ccf63"],
    ["#8447a5", "#c890ea"],
    ["#7a4a25", "#c0865a"],
    ["#767c86", "#9aa3b2"],
    ["#d65da8", "#ff9ad3"],
    ["#4fb3e8", "#8fd0f5"],
    ["#8a8a00", "#d6d64a"],
    ["#1f2430", "#ffffff"],
];

/// Dashes of series, as SVG has them; every three colours take the next.
pub const DASHES: [&str; 4] = ["", "10 5", "3 4", "12 4 3 4"];

/// Colours of everything else.
const STYLE: &str = "\
.sheet{fill:#fff}.ink{fill:#1f2430}.soft{fill:#596273}.grid{stroke:#1f2430;stroke-opacity:.12}\
.axis{stroke:#1f2430;stroke-opacity:.5}.level{stroke:#596273;stroke-width:1.5}.wall{fill:#464c56;shape-rendering:crispEdges}.goal{color:#00798c}";
const DARK: &str = "\
.sheet{fill:#14171d}.ink{fill:#e8ebf0}.soft{fill:#a4adbb}.grid{stroke:#e8ebf0;stroke-opacity:.16}\
.axis{stroke:#e8ebf0;stroke-opacity:.5}.level{stroke:#a4adbb}.wall{fill:#7c8595}.goal{color:#35bfd0}";

/// Where a text stands at its place.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    /// To the right of it.
    Start,
    /// Around it.
    Middle,
    /// To the left of it.
    End,
}

/// A figure that is being drawn.
#[derive(Debug, Default)]
pub struct Sheet {
    body: String,
}

impl Sheet {
    /// An element, as it is.
    pub fn element(&mut self, element: &str) {
        self.body += element;
        self.body.push('\n');
    }

    /// A text; `class` is `ink` or `soft`.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.element(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A straight line of a class.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str, dash: &str) {
        let dash = dashed(dash);
        self.element(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"{dash}/>"
        ));
    }

    /// A line through points, in the present colour.
    pub fn polyline(&mut self, points: impl IntoIterator<Item = (f64, f64)>, width: f64, opacity: f64, dash: &str) {
        let (points, dash) = (listed(points), dashed(dash));
        self.element(&format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\" \
             stroke-opacity=\"{opacity}\" stroke-linejoin=\"round\"{dash}/>"
        ));
    }

    /// An area in the present colour.
    pub fn polygon(&mut self, points: impl IntoIterator<Item = (f64, f64)>, opacity: f64) {
        let points = listed(points);
        self.element(&format!("<polygon points=\"{points}\" fill=\"currentColor\" fill-opacity=\"{opacity}\"/>"));
    }

    /// A disc in the present colour.
    pub fn disc(&mut self, (x, y): (f64, f64), radius: f64) {
        self.element(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"currentColor\"/>"));
    }

    /// A rectangle of a class; without one in the present colour.
    pub fn rectangle(&mut self, (x, y): (f64, f64), width: f64, height: f64, class: &str) {
        let fill = if class.is_empty() { " fill=\"currentColor\"".into() } else { format!(" class=\"{class}\"") };
        self.element(&format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"{fill}/>"));
    }

    /// Draws with the colour of series `index`.
    pub fn colored(&mut self, index: usize, draw: impl FnOnce(&mut Self)) {
        self.of_class(&format!("s{}", index % COLORS.len()), draw);
    }

    /// Draws with the colour of a class.
    pub fn of_class(&mut self, class: &str, draw: impl FnOnce(&mut Self)) {
        self.element(&format!("<g class=\"{class}\">"));
        draw(self);
        self.element("</g>");
    }

    /// The mark of a series: its shape changes where its dashes do.
    pub fn mark(&mut self, index: usize, (x, y): (f64, f64), size: f64) {
        match dash_of(index) {
            0 => self.disc((x, y), size),
            1 => self.rectangle((x - 0.9 * size, y - 0.9 * size), 1.8 * size, 1.8 * size, ""),
            2 => self.polygon([(x - size, y + 0.8 * size), (x + size, y + 0.8 * size), (x, y - 1.1 * size)], 1.0),
            _ => {
                self.polygon([(x - 1.2 * size, y), (x, y - 1.2 * size), (x + 1.2 * size, y), (x, y + 1.2 * size)], 1.0)
            }
        }
    }

    /// The document, of this height.
    pub fn finish(self, height: f64) -> String {
        let (mut light, mut dark) = (STYLE.to_string(), DARK.to_string());
        for (i, [on_white, on_dark]) in COLORS.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(light, ".s{i}{{color:{on_white}}}");
            let _ = write!(dark, ".s{i}{{color:{on_dark}}}");
        }
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"system-ui, \
             sans-serif\" font-size=\"{FONT}\">\n<style>{light}@media (prefers-color-scheme:dark){{{dark}}}</style>\n\
             <rect width=\"{WIDTH}\" height=\"{height:.0}\" class=\"sheet\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// The dashes of series `index`.
pub fn dashes(index: usize) -> &'static str {
    DASHES[dash_of(index)]
}

/// Colours that repeat come with other dashes.
fn dash_of(index: usize) -> usize {
    (index / 3 + index / COLORS.len()) % DASHES.len()
}

/// About how wide a text is.
pub fn width_of(text: &str) -> f64 {
    0.55 * FONT * text.chars().count() as f64
}

/// A text that is at most so wide; what is cut off is marked.
pub fn shortened(text: &str, width: f64) -> String {
    shortened_to(text, (width / width_of("n")) as usize)
}

/// A text of at most so many letters; what is cut off is marked.
pub fn shortened_to(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    text.chars().take(room.saturating_sub(1)).collect::<String>() + "…"
}

/// Text that HTML and SVG take as text.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn listed(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (x, y) in points {
        // Writing to a string cannot fail.
        let _ = write!(text, "{x:.1},{y:.1} ");
    }
    text.trim_end().to_string()
}

fn dashed(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE L*a*b* of a colour of sRGB.
    fn lab(color: &str) -> [f64; 3] {
        let channel = |i: usize| {
            let value = f64::from(u8::from_str_radix(&color[1 + 2 * i..3 + 2 * i], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = [channel(0), channel(1), channel(2)];
        let xyz = [
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        ];
        let [x, y, z] = xyz.map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn difference(a: &str, b: &str) -> f64 {
        lab(a).iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn twelve_series_are_told_apart_in_light_and_dark() {
        for (theme, sheet) in ["#ffffff", "#14171d"].into_iter().enumerate() {
            for (i, a) in COLORS.iter().enumerate() {
                assert!(difference(a[theme], sheet) > 35.0, "{} on {sheet}", a[theme]);
                for b in &COLORS[i + 1..] {
                    let apart = difference(a[theme], b[theme]);
                    assert!(apart > 20.0, "{} and {} differ by {apart:.0}", a[theme], b[theme]);
                }
            }
        }
        // Beyond, the colours come again with other dashes.
        for i in 0..12 {
            assert_ne!(dashes(i), dashes(i + 12), "series {i}");
        }
    }

    #[test]
    fn a_long_name_is_cut_where_it_would_leave_the_sheet() {
        let name = "stpn, learning_rate 0.01, algorithm ppo, and more that nobody reads in a legend";
        let cut = shortened(name, 300.0);
        assert!(cut.ends_with('…') && width_of(&cut) <= 300.0, "{cut}");
        assert_eq!(shortened("stpn", 300.0), "stpn");
    }
}
