//! What the runs of a comparison gave: a table, its data, and learning curves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use stpn_agents::RunConfig;
use stpn_core::cells::CellName;

use super::children::children;
use super::statistics::Mean;
use super::{GeneralizationCurves, Plan, PlannedRun};
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::report::curves;
use crate::report::runs::RunData;
use crate::table;

/// The results of a comparison, as `comparison.json` holds them.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// What the result is.
    pub measure: &'static str,
    /// What the energy is.
    pub energy_measure: &'static str,
    /// An agent's task: mean return of the uniformly random policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<f64>,
    /// An agent's task: expected return of the optimal policy, where the environment knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle: Option<f64>,
    /// How intervals are made.
    pub statistics: &'static str,
    /// One entry per cell, in the order asked for.
    pub cells: Vec<CellResult>,
    /// One entry per run.
    pub runs: Vec<RunResult>,
}

/// A cell over its seeds.
#[derive(Debug, Serialize)]
pub struct CellResult {
    /// The cell.
    pub cell: String,
    /// Units.
    pub units: usize,
    /// Trainable parameters, heads included.
    pub parameters: usize,
    /// The result.
    pub result: Mean,
    /// The energy.
    pub energy: Option<Mean>,
    /// Updates of a run; a run that was stopped by patience has fewer.
    pub updates: Mean,
    /// Seconds of a run, updates alone.
    pub seconds: Mean,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct RunResult {
    /// The cell.
    pub cell: String,
    /// The seed.
    pub seed: u64,
    /// Its directory, relative to the comparison's.
    pub directory: String,
    /// The result: accuracy on the test data, or mean return of the evaluation's episodes.
    pub result: f64,
    /// The energy in the same measurement.
    pub energy: Option<f64>,
    /// Updates done.
    pub updates: u64,
    /// Seconds spent in updates.
    pub seconds: f64,
    /// The learning curve: update, environment steps (0 where there are none), value.
    #[serde(skip)]
    pub curve: Vec<(u64, u64, f64)>,
}

impl Comparison {
    /// Reads what the finished runs left; an agent's is measured on `episodes` fresh episodes by `stpn eval`.
    pub fn of(plan: &Plan, episodes: usize) -> Result<Self> {
        let runs = plan.runs.iter().map(|run| result(run, episodes)).collect::<Result<Vec<_>>>()?;
        let mut order: Vec<CellName> = Vec::new();
        for run in &plan.runs {
            if !order.contains(&run.cell) {
                order.push(run.cell);
            }
        }
        let cells = order.iter().filter_map(|&cell| {
            let first = plan.runs.iter().find(|run| run.cell == cell)?;
            let of = |value: &dyn Fn(&RunResult) -> Option<f64>| {
                let values: Option<Vec<f64>> = runs.iter().filter(|run| run.cell == cell.as_str()).map(value).collect();
                Mean::of(&values?)
            };
            Some(CellResult {
                cell: cell.to_string(),
                units: first.config.policy().hidden,
                parameters: first.parameters,
                result: of(&|run| Some(run.result))?,
                energy: of(&|run| run.energy),
                updates: of(&|run| Some(run.updates as f64))?,
                seconds: of(&|run| Some(run.seconds))?,
            })
        });
        let [random, oracle] = match plan.runs.iter().find(|run| run.config.agent().is_ok()) {
            Some(run) => bounds(run, episodes)?,
            None => [None, None],
        };
        let supervised = plan.runs.first().is_some_and(|run| run.config.agent().is_err());
        Ok(Self {
            measure: if supervised { "test accuracy" } else { "mean return" },
            energy_measure: if supervised { "per step, summed over units" } else { "per unit and step" },
            random,
            oracle,
            statistics: "mean over seeds [95 % confidence interval by Student's t, n - 1 degrees of freedom]",
            cells: cells.collect(),
            runs,
        })
    }

    /// Header and rows of the table.
    fn rows(&self) -> ([&'static str; 6], Vec<Vec<String>>) {
        let row = |cell: &CellResult| {
            vec![
                cell.cell.clone(),
                cell.units.to_string(),
                thousands(cell.parameters as u64),
                cell.result.display(if self.measure == "test accuracy" { 4 } else { 2 }),
                cell.energy.map_or("-".into(), |energy| energy.display(3)),
                format!("{:.0} s", cell.seconds.mean),
            ]
        };
        let header = ["cell", "units", "parameters", self.measure, "energy", "time of a run"];
        let mut rows: Vec<Vec<String>> = self.cells.iter().map(row).collect();
        for (name, value) in [("random policy", self.random), ("oracle", self.oracle)] {
            let row = |value: f64| [name, "-", "-", &format!("{value:.2}"), "-", "-"].map(String::from).to_vec();
            rows.extend(value.map(row));
        }
        (header, rows)
    }

    /// The table for a terminal.
    pub fn text(&self) -> String {
        let (header, rows) = self.rows();
        let table = table::text(&header, &rows, &[1, 2, 5]);
        format!("\n{table}\n{}; energy {}", self.statistics, self.energy_measure)
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let (header, rows) = self.rows();
        let mut text = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(header.len()));
        for row in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        let seeds = self.cells.first().map_or(0, |cell| cell.result.count);
        let _ = writeln!(text, "\n{}; seeds: {seeds}; energy {}.", self.statistics, self.energy_measure);
        text
    }

    /// Writes `comparison.json`, `comparison.md`, `curves.csv` and, of the runs in `plan`, `learning-curves.svg`,
    /// `energy.svg` and for familiarity detection `generalization.csv` and `generalization.svg`.
    pub fn write(&self, plan: &Plan, directory: &Path) -> Result<()> {
        let mut curves = String::from("cell,seed,update,env_steps,value\n");
        for run in &self.runs {
            for (update, steps, value) in &run.curve {
                let _ = writeln!(curves, "{},{},{update},{steps},{value}", run.cell, run.seed);
            }
        }
        let files = [
            ("comparison.json", serde_json::to_string_pretty(self)? + "\n"),
            ("comparison.md", format!("{}\n{}.\n", self.markdown(), Provenance::here().line())),
            ("curves.csv", curves),
        ];
        for (name, contents) in files {
            let path = directory.join(name);
            fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(curves) = GeneralizationCurves::of(plan)? {
            curves.write(directory)?;
        }
        self.draw(plan, directory)
    }

    fn draw(&self, plan: &Plan, directory: &Path) -> Result<()> {
        if self.runs.iter().all(|run| run.curve.is_empty()) {
            // Too short for a first validation.
            return Ok(());
        }
        let runs = plan.runs.iter().map(|run| RunData::read(&run.directory)).collect::<Result<Vec<_>>>()?;
        let levels = [("random policy", self.random), ("oracle", self.oracle)];
        let levels: Vec<(String, f64)> =
            levels.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
        for (experiment, groups) in curves::groups(&runs) {
            let mut figures = vec![("learning-curves.svg", curves::learning_curves(&experiment, &groups, &levels)?)];
            figures.extend(curves::energy(&experiment, &groups)?.map(|figure| ("energy.svg", figure)));
            for (name, figure) in figures {
                let path = directory.join(name);
                fs::write(&path, figure.svg).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }
}

fn result(run: &PlannedRun, episodes: usize) -> Result<RunResult> {
    let (measured, keys, curve_name) = match &run.config {
        RunConfig::Supervised(_) => {
            let path = run.directory.join("test.json");
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            (text, ("accuracy", "energy_per_step"), "charts/validation_accuracy")
        }
        RunConfig::Agent(_) => {
            let keys = ("mean_return", "energy_per_unit_step");
            (evaluation(run, episodes)?, keys, "charts/episodic_return_recent")
        }
    };
    let measured: serde_json::Value = serde_json::from_str(&measured).context("a run's result")?;
    let name = run.name();
    let value = measured[keys.0].as_f64().with_context(|| format!("{name}: its result has no `{}`", keys.0))?;

    let path = run.directory.join("metrics.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut curve, mut seconds, mut updates) = (Vec::new(), 0.0, 0);
    for line in text.lines() {
        let entry: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).with_context(|| format!("{} is damaged", path.display()))?;
        let number = |key: &str| entry.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        updates = number("update");
        if let Some(value) = entry.get(curve_name).and_then(serde_json::Value::as_f64) {
            curve.push((updates, number("env_steps"), value));
        }
        let parts = ["time/rollout_seconds", "time/learn_seconds", "time/validation_seconds"];
        seconds += parts.iter().filter_map(|key| entry.get(*key)?.as_f64()).sum::<f64>();
    }
    Ok(RunResult {
        cell: run.cell.to_string(),
        seed: run.seed,
        directory: name,
        result: value,
        energy: measured[keys.1].as_f64(),
        updates,
        seconds: seconds * run.config.log().every as f64,
        curve,
    })
}

/// What `stpn eval --json` says of a run, kept in its `evaluation.json`.
fn evaluation(run: &PlannedRun, episodes: usize) -> Result<String> {
    let path = run.directory.join("evaluation.json");
    let updates = run.config.training().updates;
    if let Ok(text) = fs::read_to_string(&path) {
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if kept["episodes"] == episodes && kept["update"] == updates {
            return Ok(text);
        }
    }
    let mut measured = eval(run, &["--episodes", &episodes.to_string()])?;
    measured["update"] = updates.into();
    let text = serde_json::to_string_pretty(&measured)? + "\n";
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(text)
}

/// Returns of the random policy and of the oracle in a run's environment.
fn bounds(run: &PlannedRun, episodes: usize) -> Result<[Option<f64>; 2]> {
    let measured = eval(run, &["--random", "--episodes", &episodes.to_string()])?;
    Ok([measured["mean_return"].as_f64(), measured["oracle_return"].as_f64()])
}

/// What `stpn eval --json` says of a run.
fn eval(run: &PlannedRun, arguments: &[&str]) -> Result<serde_json::Value> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    let output = children()?.output(command.arg("eval").arg(&run.directory).arg("--json").args(arguments))?;
    if !output.status.success() {
        bail!("{}: {}", run.name(), String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("the evaluation's output")
}
