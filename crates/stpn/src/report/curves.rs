//! Learning curves and energy against performance, over runs grouped by experiment and cell.

use anyhow::Result;

use crate::comparison::statistics::Mean;

use super::chart::{Chart, Dot, Line, number};
use super::figure::{Figure, color};
use super::runs::RunData;

/// Points of a curve: more are not told apart.
const POINTS: usize = 240;

/// Updates whose mean is a run's final result.
const FINAL: usize = 50;

/// Runs of one cell in one experiment, one a seed.
pub struct Group<'a> {
    /// Its name in legends.
    pub name: String,
    /// The runs.
    pub runs: Vec<&'a RunData>,
}

/// One experiment's runs by cell, in the order in which they were given; sizes are named where a cell has several.
pub fn groups(runs: &[RunData]) -> Vec<(String, Vec<Group<'_>>)> {
    let mut experiments: Vec<(String, Vec<Group<'_>>)> = Vec::new();
    for run in runs {
        let sizes = runs.iter().filter(|other| (&other.experiment, &other.cell) == (&run.experiment, &run.cell));
        let one_size = sizes.clone().all(|other| other.hidden == run.hidden);
        let name = if one_size { run.cell.clone() } else { format!("{} {}", run.cell, run.hidden) };
        let place = experiments.iter().position(|(known, _)| *known == run.experiment);
        let place = place.unwrap_or_else(|| {
            experiments.push((run.experiment.clone(), Vec::new()));
            experiments.len() - 1
        });
        let groups = &mut experiments[place].1;
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { name, runs: vec![run] }),
        }
    }
    experiments
}

/// A group's final results.
pub struct Outcome {
    /// Mean over the runs of the last updates' result.
    pub result: Option<Mean>,
    /// The same of the energy.
    pub energy: Option<Mean>,
}

impl Group<'_> {
    /// What its runs came to.
    pub fn outcome(&self) -> Outcome {
        let over = |key: &str| Mean::of(&self.runs.iter().filter_map(|run| run.last(key, FINAL)).collect::<Vec<_>>());
        let key = self.runs.first().map_or("", |run| run.result().0);
        Outcome { result: over(key), energy: over("charts/energy") }
    }
}

/// Result over training, a line per cell: the mean over seeds with its 95 % interval. `levels` are drawn across.
///
/// # Errors
/// Fails where the chart cannot be drawn.
pub fn learning_curves(experiment: &str, groups: &[Group<'_>], levels: &[(String, f64)]) -> Result<Figure> {
    let first = groups.iter().find_map(|group| group.runs.first());
    let (key, y_label) = first.map_or(("", ""), |run| run.result());
    let lines: Vec<Line> = groups.iter().enumerate().map(|(i, group)| line(group, key, color(i))).collect();
    let seeds: usize = groups.iter().map(|group| group.runs.len()).max().unwrap_or(0);
    let band = if seeds > 1 { " Shaded: 95 % interval of the mean over seeds (Student's t)." } else { "" };
    let chart = Chart {
        x_label: first.map_or("", |run| run.x_label()).into(),
        y_label: y_label.into(),
        lines,
        levels: levels.to_vec(),
        dots: Vec::new(),
    };
    Ok(Figure {
        id: format!("{experiment}-learning-curves"),
        title: format!("Learning curves: {experiment}"),
        caption: format!("Running mean over a twentieth of the run, averaged over seeds.{band}"),
        series: groups.iter().map(|group| group.name.clone()).collect(),
        svg: chart.svg()?,
    })
}

/// Final energy and final result, a dot per cell; none where no run has an energy.
///
/// # Errors
/// Fails where the chart cannot be drawn.
pub fn energy(experiment: &str, groups: &[Group<'_>]) -> Result<Option<Figure>> {
    let mut dots = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        if let Outcome { result: Some(result), energy: Some(energy) } = group.outcome() {
            let half = (half_width(&energy), half_width(&result));
            dots.push(Dot { name: group.name.clone(), color: color(i), at: (energy.mean, result.mean), half });
        }
    }
    if dots.is_empty() {
        return Ok(None);
    }
    let y_label = groups.iter().find_map(|group| group.runs.first()).map_or("", |run| run.result().1);
    let chart = Chart { x_label: "energy".into(), y_label: y_label.into(), dots: dots.clone(), ..Chart::default() };
    Ok(Some(Figure {
        id: format!("{experiment}-energy"),
        title: format!("Energy against performance: {experiment}"),
        caption: format!(
            "Means over the last {FINAL} updates and over seeds, with their 95 % intervals. Energy is Σ|G|z² as in the \
             paper, the mean of a unit at a step in agents, the sum over units of a symbol in supervised tasks. Up and \
             to the left is better."
        ),
        series: dots.into_iter().map(|dot| dot.name).collect(),
        svg: chart.svg()?,
    }))
}

/// Mean over a group's runs with its interval, at common places along x.
fn line(group: &Group<'_>, key: &str, color: (u8, u8, u8)) -> Line {
    let curves: Vec<Vec<(f64, f64)>> = group
        .runs
        .iter()
        .map(|run| {
            let series = run.series(key);
            let values: Vec<f64> = series.iter().map(|(_, value)| *value).collect();
            let smooth = smoothed(&values, values.len() / 20);
            series.iter().map(|(x, _)| *x).zip(smooth).collect()
        })
        .filter(|curve: &Vec<(f64, f64)>| !curve.is_empty())
        .collect();
    let last = curves.iter().filter_map(|curve| curve.last()).map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let first = curves.iter().filter_map(|curve| curve.first()).map(|(x, _)| *x).fold(0.0, f64::max);
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for i in 0..POINTS.min(curves.iter().map(Vec::len).max().unwrap_or(0)) {
        let x = first + (last - first) * i as f64 / (POINTS - 1) as f64;
        let values: Vec<f64> = curves.iter().map(|curve| interpolated(curve, x)).collect();
        if let Some(Mean { mean, interval, .. }) = Mean::of(&values) {
            points.push((x, mean));
            band.extend(interval.map(|[low, high]| (x, low, high)));
        }
    }
    Line { name: group.name.clone(), color, points, band }
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

fn half_width(mean: &Mean) -> f64 {
    mean.interval.map_or(0.0, |[low, high]| (high - low) / 2.0)
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
}
