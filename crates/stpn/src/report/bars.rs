//! Histograms.

use super::axis::number;
use super::chart::{BELOW, Frame, HEIGHT, TOP};
use super::sheet::Sheet;

/// A histogram's bars between `edges` (one more than there are bars, or open above), with edges at even distances on
/// the axis, in the colour of series `style`.
pub fn bars(x_label: &str, y_label: &str, edges: &[f64], counts: &[f64], style: usize) -> String {
    let mut sheet = Sheet::default();
    let high = counts.iter().copied().fold(1.0, f64::max) * 1.05;
    let frame = Frame { x: 0.0..counts.len().max(1) as f64, y: 0.0..high, left: 0.0, inset: (0.0, 0.0) };
    let marks: Vec<_> = edges.iter().enumerate().map(|(i, edge)| (i as f64, number(*edge))).collect();
    let frame = frame.with_marks(&mut sheet, x_label, y_label, &marks);
    sheet.colored(style, |sheet| {
        for (i, &count) in counts.iter().enumerate() {
            let (left, top) = frame.place((i as f64 + 0.06, count));
            let (right, floor) = frame.place((i as f64 + 0.94, 0.0));
            sheet.rectangle((left, top), right - left, floor - top, "");
        }
    });
    sheet.finish(TOP + HEIGHT + BELOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_bar_and_its_edge_a_number() {
        let svg = bars("steps", "synapses", &[0.0, 0.5, 64.0], &[3.0, 0.0, 5.0], 1);
        assert_eq!(svg.matches("<rect").count(), 1 + 3, "{svg}");
        assert!(svg.contains(">0.5<") && svg.contains(">64<") && svg.contains(">synapses<"), "{svg}");
    }
}
