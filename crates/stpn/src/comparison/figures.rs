//! The pictures of a comparison, drawn from its files alone.

use anyhow::Result;

use super::measure::{CurvePoint, RunResult};
use super::results::Comparison;
use crate::report::chart::{Chart, Line};
use crate::report::curves::{averaged, dot};
use crate::report::figure::color;

/// The learning curves, a line a cell; none where the runs were too short for a first point.
///
/// # Errors
/// Fails where the chart cannot be drawn.
pub fn learning_curves(comparison: &Comparison) -> Result<Option<String>> {
    let supervised = comparison.is_supervised();
    let place = |point: &CurvePoint| if supervised { point.update } else { point.env_steps } as f64;
    let curve = |run: &RunResult| run.curve.iter().map(|point| (place(point), point.value)).collect::<Vec<_>>();
    let line = |(i, cell): (usize, &String)| {
        let curves: Vec<_> = comparison.runs.iter().filter(|run| run.cell == *cell).map(curve).collect();
        averaged(cell, &curves, &comparison.possible(), color(i))
    };
    let lines: Vec<Line> = comparison.cells.iter().map(|cell| &cell.cell).enumerate().map(line).collect();
    if lines.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let levels = [("random policy", comparison.random), ("oracle", comparison.oracle)];
    let chart = Chart {
        x_label: if supervised { "epochs" } else { "environment steps" }.into(),
        y_label: if supervised { "validation accuracy" } else { "mean return, last 50 updates" }.into(),
        lines,
        levels: levels.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect(),
        dots: Vec::new(),
    };
    chart.svg().map(Some)
}

/// Energy against result, a dot a cell; none where no cell has an energy.
///
/// # Errors
/// Fails where the chart cannot be drawn.
pub fn energy(comparison: &Comparison) -> Result<Option<String>> {
    let dots = comparison.cells.iter().enumerate();
    let dots: Vec<_> =
        dots.filter_map(|(i, cell)| Some(dot(&cell.cell, cell.energy.as_ref()?, &cell.result, color(i)))).collect();
    if dots.is_empty() {
        return Ok(None);
    }
    let x_label = format!("energy {}", comparison.energy_measure);
    Chart { x_label, y_label: comparison.measure.clone(), dots, ..Chart::default() }.svg().map(Some)
}
