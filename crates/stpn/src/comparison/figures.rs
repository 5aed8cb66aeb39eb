//! The pictures of a comparison, drawn from its files alone.

use super::measure::{CurvePoint, RunResult};
use super::results::Comparison;
use super::statistics::NOT_NEGATIVE;
use crate::report::chart::{Chart, Line};
use crate::report::curves::{averaged, dot};

/// The learning curves, a line a cell; none if the runs were too short for a first point.
pub fn learning_curves(comparison: &Comparison) -> Option<String> {
    let supervised = comparison.is_supervised();
    let place = |point: &CurvePoint| if supervised { point.update } else { point.env_steps } as f64;
    let curve = |run: &RunResult| run.curve.iter().map(|point| (place(point), point.value)).collect::<Vec<_>>();
    let line = |(i, cell): (usize, &String)| {
        let curves: Vec<_> = comparison.runs.iter().filter(|run| run.cell == *cell).map(curve).collect();
        averaged(cell, &curves, &comparison.possible(), i)
    };
    let lines: Vec<Line> = comparison.cells.iter().map(|cell| &cell.cell).enumerate().map(line).collect();
    if lines.iter().all(|line| line.points.is_empty()) {
        return None;
    }
    let levels = [("random policy", comparison.random), ("oracle", comparison.oracle)];
    let chart = Chart {
        x_label: if supervised { "epochs" } else { "environment steps" }.into(),
        y_label: if supervised {
            "validation accuracy (share)"
        } else {
            "mean return, last 50 updates (reward per episode)"
        }
        .into(),
        possible_x: NOT_NEGATIVE,
        possible_y: comparison.possible(),
        lines,
        levels: levels.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect(),
        dots: Vec::new(),
    };
    Some(chart.svg())
}

/// Energy against result, a dot a cell; none if no cell has an energy.
pub fn energy(comparison: &Comparison) -> Option<String> {
    let dots = comparison.cells.iter().enumerate();
    let dots: Vec<_> =
        dots.filter_map(|(i, cell)| Some(dot(&cell.cell, cell.energy.as_ref()?, &cell.result, i))).collect();
    if dots.is_empty() {
        return None;
    }
    let unit = if comparison.is_supervised() { "share" } else { "reward per episode" };
    let chart = Chart {
        x_label: format!("energy Σ|G|z² ({})", comparison.energy_measure),
        y_label: format!("{} ({unit})", comparison.measure),
        possible_x: NOT_NEGATIVE,
        possible_y: comparison.possible(),
        dots,
        ..Chart::default()
    };
    Some(chart.svg())
}
