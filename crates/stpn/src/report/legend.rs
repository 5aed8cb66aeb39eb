//! The legend below a chart, in as many rows as its names need.

use super::sheet::{Anchor, FONT, Sheet, WIDTH, dashes, shortened, width_of};

/// Height of a row.
const ROW: f64 = 30.0;
/// Width of a sample with the space behind it.
const SAMPLE: f64 = 46.0;
/// Space between two entries, and at the sides.
const GAP: f64 = 22.0;

/// What stands before a name.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// The line of a series.
    Line(usize),
    /// The mark of a series.
    Mark(usize),
    /// A reference drawn across, with these dashes.
    Level(&'static str),
}

/// Draws the entries from height `top` on; returns where they end.
pub fn draw(sheet: &mut Sheet, entries: &[(Sample, String)], top: f64) -> f64 {
    let (mut x, mut y) = (GAP, top + ROW / 2.0);
    for (sample, name) in entries {
        let name = shortened(name, WIDTH - SAMPLE - 2.0 * GAP);
        let width = SAMPLE + width_of(&name);
        if x > GAP && x + width > WIDTH - GAP {
            (x, y) = (GAP, y + ROW);
        }
        let ends = [(x, y), (x + SAMPLE - 10.0, y)];
        match *sample {
            Sample::Line(index) => sheet.colored(index, |sheet| sheet.polyline(ends, 3.5, 1.0, dashes(index))),
            Sample::Mark(index) => sheet.colored(index, |sheet| sheet.mark(index, (x + SAMPLE / 2.0 - 4.0, y), 7.0)),
            Sample::Level(dash) => sheet.line(ends[0], ends[1], "level", dash),
        }
        sheet.text((x + SAMPLE, y + 0.35 * FONT), Anchor::Start, "ink", &name);
        x += width + GAP;
    }
    if entries.is_empty() { top } else { y + ROW / 2.0 }
}
