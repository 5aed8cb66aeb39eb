//! Learning curves and energy against performance, over seeds.

use std::ops::RangeInclusive;

use super::axis::number;
use super::chart::{Chart, Dot, Line};
use super::figure::Figure;
use super::grouping::{Experiment, Group};
use super::runs::{ENERGY, RunData};
use crate::comparison::statistics::{ANY, Mean, NOT_NEGATIVE};

/// Points of a curve: more are not told apart.
const POINTS: usize = 240;

/// Seeds from which on the interval of their mean is drawn too.
const MANY: usize = 5;

/// Updates over which a run's final result is taken.
pub const FINAL: u64 = 50;

/// A group's final results.
pub struct Outcome {
    /// Mean over the runs of the last updates' result.
    pub result: Option<Mean>,
    /// The same of the energy.
    pub energy: Option<Mean>,
}

impl Outcome {
    /// What a group's runs came to: where some have come further than others, at the last place that all have reached.
    pub fn of(group: &Group<'_>) -> Self {
        let Some(first) = group.runs.first() else { return Self { result: None, energy: None } };
        let over = |key: &str| Mean::of(&finals(group, key), &first.possible(key));
        Self { result: over(first.result().0), energy: over(ENERGY) }
    }
}

/// The results of a group's runs, as [`Outcome::of`] takes them.
pub fn results(group: &Group<'_>) -> Vec<f64> {
    group.runs.first().map_or_else(Vec::new, |first| finals(group, first.result().0))
}

/// A metric of the last updates, run by run.
fn finals(group: &Group<'_>, key: &str) -> Vec<f64> {
    let result = group.runs.first().map_or("", |first| first.result().0);
    let ends = group.runs.iter().filter_map(|run| run.series(result).last().map(|(x, _)| *x));
    let end = ends.fold(f64::INFINITY, f64::min);
    group.runs.iter().filter_map(|run| run.last(key, FINAL, end)).collect()
}

/// Result over training, a line per series: the mean over seeds, with every seed and, of many, a 95 % interval. `levels` are drawn
/// across.
pub fn learning_curves(experiment: &Experiment<'_>, levels: &[(String, f64)]) -> Figure {
    let groups = &experiment.groups;
    let first = groups.iter().find_map(|group| group.runs.first());
    let (key, y_label) = first.map_or(("", ""), |run| run.result());
    let lines: Vec<Line> = groups.iter().enumerate().map(|(i, group)| line(group, key, i)).collect();
    let spread = spread(&lines);
    let chart = Chart {
        x_label: first.map_or("", |run| run.x_label()).into(),
        y_label: y_label.into(),
        possible_x: NOT_NEGATIVE,
        possible_y: first.map_or(ANY, |run| run.possible(key)),
        lines,
        levels: levels.to_vec(),
        dots: Vec::new(),
    };
    Figure {
        id: format!("{}-learning-curves", experiment.id),
        title: format!("Learning curves: {}", experiment.title),
        caption: format!("Running mean over a twentieth of the run, averaged over seeds.{spread}"),
        series: groups.iter().map(|group| group.name.clone()).collect(),
        svg: chart.svg(),
    }
}

/// What is said of seeds and intervals around lines, if there are some.
pub fn spread(lines: &[Line]) -> String {
    let mut said = String::new();
    if lines.iter().any(|line| !line.seeds.is_empty()) {
        said += " Thin: every seed by itself.";
    }
    if lines.iter().any(|line| !line.band.is_empty()) {
        said += " Shaded: 95 % interval of the mean over seeds (Student's t, cut to the values that are possible).";
    }
    said
}

/// Final energy and final result, a dot per series; none if no run has an energy.
pub fn energy(experiment: &Experiment<'_>) -> Option<Figure> {
    let groups = &experiment.groups;
    let mut dots = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        if let Outcome { result: Some(result), energy: Some(energy) } = Outcome::of(group) {
            dots.push(dot(&group.name, &energy, &result, i));
        }
    }
    if dots.is_empty() {
        return None;
    }
    let first = groups.iter().find_map(|group| group.runs.first());
    let (key, y_label) = first.map_or(("", ""), |run| run.result());
    let chart = Chart {
        x_label: first.map_or("", |run| run.energy_label()).into(),
        y_label: y_label.into(),
        possible_x: NOT_NEGATIVE,
        possible_y: first.map_or(ANY, |run| run.possible(key)),
        dots: dots.clone(),
        ..Chart::default()
    };
    Some(Figure {
        id: format!("{}-energy", experiment.id),
        title: format!("Energy against performance: {}", experiment.title),
        caption: format!(
            "Means over the last {FINAL} updates (of returns: over their episodes) and over seeds, with their 95 % \
             intervals. Energy is Σ|G|z² as in the paper, the mean of a unit at a step in agents, the sum over units \
             of a symbol in supervised tasks. Up and to the left is better."
        ),
        series: dots.into_iter().map(|dot| dot.name).collect(),
        svg: chart.svg(),
    })
}

/// A dot at an energy and a result.
pub fn dot(name: &str, energy: &Mean, result: &Mean, style: usize) -> Dot {
    let (at, intervals) = ((energy.mean, result.mean), [energy.interval, result.interval]);
    Dot { name: name.to_string(), style, at, intervals }
}

/// A group's line.
fn line(group: &Group<'_>, key: &str, style: usize) -> Line {
    let smooth = |run: &&RunData| {
        let series = run.series(key);
        let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
        let smooth = smoothed(&values, values.len() / 20);
        series.iter().map(|(x, _)| *x).zip(smooth).collect::<Vec<_>>()
    };
    let curves: Vec<Vec<(f64, f64)>> = group.runs.iter().map(smooth).collect();
    let possible = group.runs.first().map_or(ANY, |run| run.possible(key));
    averaged(&group.name, &curves, &possible, style)
}

/// Mean over curves, at common places along x: from where the last one begins to where the first one ends. Every curve
/// is drawn beside it; of many, the mean's interval too.
pub fn averaged(name: &str, curves: &[Vec<(f64, f64)>], possible: &RangeInclusive<f64>, style: usize) -> Line {
    let curves: Vec<&Vec<(f64, f64)>> = curves.iter().filter(|curve| !curve.is_empty()).collect();
    let last = curves.iter().filter_map(|curve| curve.last()).map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let first = curves.iter().filter_map(|curve| curve.first()).map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
    let count = POINTS.min(curves.iter().map(|curve| curve.len()).max().unwrap_or(0));
    let mut line = Line { name: name.to_string(), style, ..Line::default() };
    let few = curves.len() < MANY;
    if curves.len() > 1 {
        line.seeds = vec![Vec::new(); curves.len()];
    }
    for i in 1..=count {
        // The last point is at the last step, whatever the number of points.
        let x = if i == count { last } else { first + (last - first) * (i - 1) as f64 / (count - 1) as f64 };
        let values: Vec<f64> = curves.iter().map(|curve| interpolated(curve, x)).collect();
        if let Some(Mean { mean, interval, .. }) = Mean::of(&values, possible) {
            line.points.push((x, mean));
            line.band.extend(interval.filter(|_| !few).map(|[low, high]| (x, low, high)));
        }
        line.seeds.iter_mut().zip(values).for_each(|(seed, value)| seed.push((x, value)));
    }
    line
}

/// A curve's value at x, linear between its points.
fn interpolated(curve: &[(f64, f64)], x: f64) -> f64 {
    let after = curve.partition_point(|(at, _)| *at < x);
    match (after.checked_sub(1).map(|before| curve[before]), curve.get(after)) {
        (Some((x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (Some((_, y)), None) | (None, Some(&(_, y))) => y,
        (None, None) => f64::NAN,
    }
}

/// `12.3 [11.9, 12.7]`, or `12.3` for a single run, or a dash.
pub fn shown(mean: Option<Mean>) -> String {
    match mean {
        None => "–".into(),
        Some(Mean { mean, interval: None, .. }) => number(mean),
        Some(Mean { mean, interval: Some([low, high]), .. }) => {
            format!("{} [{}, {}]", number(mean), number(low), number(high))
        }
    }
}

/// Running mean over the last `window` values.
fn smoothed(values: &[f64], window: usize) -> Vec<f64> {
    let window = window.max(1);
    let mut total = 0.0;
    values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            total += value;
            if i >= window {
                total -= values[i - window];
            }
            total / window.min(i + 1) as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_the_mean_of_the_last_values() {
        assert_eq!(smoothed(&[1.0, 3.0, 5.0, 7.0], 2), [1.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn curves_are_read_between_their_points() {
        let curve = [(0.0, 1.0), (2.0, 3.0)];
        assert_eq!([-1.0, 0.0, 1.0, 2.0, 5.0].map(|x| interpolated(&curve, x)), [1.0, 1.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn short_runs_were_drawn_to_a_part_of_their_length() {
        for n in [1, 2, 100, 239, 240, 241, 1000] {
            let curve = |seed: f64| (1..=n).map(|i| (2048.0 * f64::from(i), seed + f64::from(i))).collect::<Vec<_>>();
            for curves in [vec![curve(0.0)], vec![curve(0.0), curve(1.0), curve(5.0)]] {
                let line = averaged("stpn", &curves, &ANY, 0);
                let (x, y) = *line.points.last().unwrap();
                let seeds: f64 = curves.iter().map(|curve| curve.last().unwrap().1).sum();
                assert_eq!((x, y), (2048.0 * f64::from(n), seeds / curves.len() as f64), "{n} values");
                assert_eq!(line.points[0].0, 2048.0, "{n} values");
                assert_eq!(line.points.len(), POINTS.min(n as usize));
                assert!(line.points.is_sorted_by(|(a, _), (b, _)| a < b), "{n} values");
                assert!(line.seeds.iter().all(|seed| seed.len() == line.points.len()));
            }
        }
    }

    #[test]
    fn of_many_seeds_an_interval_hid_every_single_one() {
        for seeds in 1..8u32 {
            let curves: Vec<_> = (0..seeds).map(|seed| vec![(0.0, 0.0), (1.0, f64::from(seed) / 7.0)]).collect();
            let line = averaged("stpn", &curves, &(0.0..=1.0), 0);
            let (shown, banded) = (line.seeds.len(), line.band.len());
            match seeds {
                1 => assert_eq!((shown, banded), (0, 0)),
                2..5 => assert_eq!((shown, banded), (seeds as usize, 0)),
                _ => assert_eq!((shown, banded), (seeds as usize, 2)),
            }
            assert!(line.band.iter().all(|&(_, low, high)| 0.0 <= low && high <= 1.0), "{line:?}");
        }
    }

    #[test]
    fn curves_below_zero_began_at_zero() {
        let line = averaged("stpn", &[vec![(-5.0, 1.0), (-4.0, 2.0), (-3.0, 3.0)]], &ANY, 0);
        assert_eq!(line.points, [(-5.0, 1.0), (-4.0, 2.0), (-3.0, 3.0)]);
    }

    #[test]
    fn a_line_of_one_point_was_not_drawn() {
        let line = averaged("stpn", &[vec![(5.0, 1.0)]], &ANY, 0);
        let svg = Chart { lines: vec![line], ..Chart::default() }.svg();
        assert!(svg.contains("<circle"), "{svg}");
    }

    #[test]
    fn a_run_that_has_come_further_than_its_fellows_was_compared_by_its_end() {
        let table = crate::presets::load("maze-small").unwrap().0;
        let run = |updates: u64| {
            let line = |i: u64| {
                let text = format!(r#"{{"env_steps": {}, "update": {i}, "charts/episodic_return": {i}}}"#, i * 10);
                serde_json::from_str(&text).unwrap()
            };
            RunData::of_metrics("run", table.clone(), (1..=updates).map(line).collect()).unwrap()
        };
        let (short, long) = (run(60), run(600));
        let group = Group { name: "stpn".into(), runs: vec![&short, &long] };
        let result = Outcome::of(&group).result.unwrap();
        assert_eq!((result.mean, result.count), (35.5, 2), "both over values 11 to 60");
    }
}
