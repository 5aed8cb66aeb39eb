//! Axes: what range they show, where their marks are, and how numbers are written.

use std::ops::{Range, RangeInclusive};

/// How far beyond the data, in lengths of their range, a reference may lie and still stretch the axis.
const REACH: f64 = 0.5;

/// From the least to the greatest of the finite values; a range of length 1 if there is none.
pub fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match () {
        () if low > high => 0.0..1.0,
        () if low == high => low - 0.5..high + 0.5,
        () => low..high,
    }
}

/// The range with room at its ends, as far as values are possible there.
pub fn padded(range: &Range<f64>, possible: &RangeInclusive<f64>) -> Range<f64> {
    let margin = 0.05 * (range.end - range.start);
    let low = (range.start - margin).max(*possible.start()).min(range.start);
    let high = (range.end + margin).min(*possible.end()).max(range.end);
    // A range of one value at its possible end.
    if low < high { low..high } else { low - 0.5..high + 0.5 }
}

/// The range that shows the data and those references that are not far off.
pub fn with_references(data: Range<f64>, references: impl Iterator<Item = f64>) -> Range<f64> {
    let reach = REACH * (data.end - data.start);
    let near = |value: &f64| (data.start - reach..=data.end + reach).contains(value);
    references.filter(near).fold(data.clone(), |range, value| range.start.min(value)..range.end.max(value))
}

/// Round numbers in a range, about `count` of them.
pub fn ticks(range: &Range<f64>, count: usize) -> Vec<f64> {
    let length = range.end - range.start;
    let rough = length / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    // A mark at the very end is not lost to rounding.
    let (first, last) = ((range.start / step - 1e-9).ceil() as i64, (range.end / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// [`ticks`] with their numbers, each with as many digits as tell them apart.
pub fn marks(range: &Range<f64>, count: usize) -> Vec<(f64, String)> {
    let ticks = ticks(range, count);
    let names = told_apart(&ticks);
    ticks.into_iter().zip(names).collect()
}

/// [`number`] of each of rising values, with as many digits as tell neighbours apart.
pub fn told_apart(values: &[f64]) -> Vec<String> {
    let written = |more: usize| values.iter().map(|value| digits(*value, more)).collect::<Vec<_>>();
    let distinct = |names: &Vec<String>| names.windows(2).all(|pair| pair[0] != pair[1]);
    (0..MOST_DIGITS).map(written).find(distinct).unwrap_or_else(|| written(MOST_DIGITS))
}

/// Digits beyond the usual ones that the numbers of an axis may take.
const MOST_DIGITS: usize = 6;

/// 1234567 → `1.2M`; small numbers with three significant digits.
pub fn number(value: f64) -> String {
    digits(value, 0)
}

/// [`number`] with so many digits more.
fn digits(value: f64, more: usize) -> String {
    let size = value.abs();
    let plain = |value: f64, digits: usize| {
        let text = format!("{value:.*}", digits + more);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        if text == "-0" { "0".to_string() } else { text.to_string() }
    };
    match size {
        _ if size >= 1e9 => format!("{}G", plain(value / 1e9, 1)),
        _ if size >= 1e6 => format!("{}M", plain(value / 1e6, 1)),
        _ if size >= 1e4 => format!("{}k", plain(value / 1e3, 1)),
        _ if size >= 100.0 => plain(value, 0),
        _ if size >= 1.0 => plain(value, 2),
        _ if size >= 0.1 => plain(value, 3),
        _ if size >= 1e-3 || size == 0.0 => plain(value, 4),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::statistics::{ANY, SHARE};

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 12_800_000.0, 50_000.0, 271.4, 3.25, 0.19815, 0.0125, 2e-5, -0.00001].map(number);
        assert_eq!(shown, ["0", "12.8M", "50k", "271", "3.25", "0.198", "0.0125", "2.0e-5", "-1.0e-5"]);
    }

    #[test]
    fn neighbours_on_an_axis_had_the_same_number() {
        let names = |range: Range<f64>| marks(&range, 5).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(490.0..492.0), ["490", "490.5", "491", "491.5", "492"]);
        assert_eq!(names(1_000_000.0..1_100_000.0), ["1M", "1.02M", "1.04M", "1.06M", "1.08M", "1.1M"]);
        assert_eq!(names(0.0..100.0), ["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn an_axis_of_accuracies_reached_beyond_one() {
        let range = padded(&(0.2..1.0), &SHARE);
        assert!(range.end == 1.0 && range.start < 0.2 && range.start >= 0.0, "{range:?}");
        assert_eq!(ticks(&range, 5).last(), Some(&1.0));
        let free = padded(&(0.2..1.0), &ANY);
        assert!(free.end > 1.0 && free.start < 0.2);
        // All at the greatest possible value.
        let one = padded(&(1.0..1.0), &SHARE);
        assert!(one.start < 1.0 && one.end > one.start);
    }

    #[test]
    fn a_reference_far_off_stretched_the_axis() {
        let range = with_references(5.0..22.0, [5.85, 2.0, 270.0, -400.0].into_iter());
        assert_eq!(range, 2.0..22.0);
    }

    #[test]
    fn marks_are_round_and_within_the_range() {
        assert_eq!(ticks(&(0.0..1.0), 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(&(-21.0..14.0), 5), [-20.0, -10.0, 0.0, 10.0]);
        assert!(ticks(&(3.0..1e6), 5).iter().all(|tick| (3.0..=1e6).contains(tick)));
    }
}
