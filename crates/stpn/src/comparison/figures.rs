//! The pictures of a comparison, drawn from its files alone.

use super::measure::{CurvePoint, RunResult};
use super::results::{CellResult, Comparison};
use super::statistics::NOT_NEGATIVE;
use crate::report::chart::{Chart, Line};
use crate::report::curves::{averaged, dot};

/// The learning curves, a line a cell; none if the runs were too short for a first point.
pub fn learning_curves(comparison: &Comparison) -> Option<String> {
    let supervised = comparison.is_supervised();
    let place = |point: &CurvePoint| if supervised { point.update } else { point.env_steps } as f64;
    let curve = |run: &RunResult| run.curve.iter().map(|point| (place(point), point.value)).collect::<Vec<_>>();
    let line = |cell: &CellResult| {
        let curves: Vec<_> = comparison.runs.iter().filter(|run| run.cell == cell.cell).map(curve).collect();
        averaged(&cell.cell, &curves, &comparison.possible(), comparison.place(cell))
    };
    let lines: Vec<Line> = comparison.cells.iter().map(line).collect();
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
    let of_cell =
        |cell: &CellResult| Some(dot(&cell.cell, cell.energy.as_ref()?, &cell.result, comparison.place(cell)));
    let dots: Vec<_> = comparison.cells.iter().filter_map(of_cell).collect();
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made up: three cells were compared, and these have a result.
    fn comparison(cells: &[&str], compared: &[&str]) -> Comparison {
        let mean = json!({ "mean": 1.0, "interval": null, "count": 1 });
        let cell = |name: &&str| {
            json!({ "cell": name, "units": 1, "parameters": 1, "result": mean, "energy": mean, "updates": mean,
                    "seconds": mean })
        };
        let run = |name: &&str| {
            json!({ "cell": name, "seed": 1, "directory": "", "result": 1.0, "energy": 1.0, "updates": 2,
                    "seconds": 1.0 })
        };
        let mut made: Comparison = serde_json::from_value(json!({
            "measure": "mean return", "energy_measure": "per unit and step", "possible": [null, null],
            "statistics": "", "provenance": "", "compared": compared,
            "cells": cells.iter().map(cell).collect::<Vec<_>>(),
            "runs": cells.iter().map(run).collect::<Vec<_>>(),
        }))
        .unwrap();
        for run in &mut made.runs {
            run.curve = vec![
                CurvePoint { update: 1, env_steps: 10, value: 0.0 },
                CurvePoint { update: 2, env_steps: 20, value: 1.0 },
            ];
        }
        made
    }

    #[test]
    fn a_cell_had_another_colour_on_a_task_where_one_before_it_diverged() {
        let all = ["stpn", "stpnf", "lstm"];
        let diverged = comparison(&["stpn", "lstm"], &all);
        for svg in [learning_curves(&diverged), energy(&diverged)] {
            let svg = svg.unwrap();
            let drawn = |style: usize| svg.contains(&format!("<g class=\"s{style}\">"));
            assert_eq!([0, 1, 2].map(drawn), [true, false, true], "{svg}");
        }
        let older = learning_curves(&comparison(&["stpn", "lstm"], &[])).unwrap();
        assert!(older.contains("<g class=\"s1\">"), "a file that does not say which cells were compared: {older}");
    }
}
