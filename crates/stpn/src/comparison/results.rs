//! What the runs of a comparison gave: a table and its data.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use stpn_core::cells::CellName;

use super::aggregate::{self, Estimate, Scores};
use super::measure::{self, Protocol, RunResult};
use super::statistics::{ANY, METHOD, Mean, NOT_NEGATIVE, SHARE};
use super::{Plan, PlannedRun};
use crate::machine::Provenance;
use crate::presets::Size;
use crate::progress::thousands;
use crate::task_label::task_label;
use crate::{Result, table};
use stpn_agents::config::ComputeDevice;

/// The measure of supervised tasks.
const ACCURACY: &str = "test accuracy";

/// Share of the most parameters from which on a cell's count as equal.
const EQUAL: f64 = 0.85;

/// The results of a comparison, as `comparison.json` holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The environment or the supervised task; unknown of older files.
    #[serde(default)]
    pub task: String,
    /// What the result is.
    pub measure: String,
    /// What the energy is.
    pub energy_measure: String,
    /// The least and the greatest possible result, where there are some.
    pub possible: [Option<f64>; 2],
    /// An agent's task: mean return of the uniformly random policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<f64>,
    /// An agent's task: expected return of the optimal policy, where the environment knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracle: Option<f64>,
    /// How intervals are made.
    pub statistics: String,
    /// What is to be said of it beforehand, such as what was shortened; Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Where and by what it was made.
    pub provenance: String,
    /// Every cell that was compared, in the order asked for, those without a result too; empty in older files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<String>,
    /// One entry per cell that has a result, in the order asked for.
    pub cells: Vec<CellResult>,
    /// One entry per run.
    pub runs: Vec<RunResult>,
}

/// A cell over its seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellResult {
    /// The cell.
    pub cell: String,
    /// Units.
    pub units: usize,
    /// Trainable parameters, heads included.
    pub parameters: usize,
    /// Numbers that the layer carries from step to step; older files do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<usize>,
    /// Multiply-adds of the layer at a step; older files do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiply_adds: Option<usize>,
    /// The result.
    pub result: Mean,
    /// The energy.
    pub energy: Option<Mean>,
    /// Updates of a run; a run that was stopped by patience has fewer.
    pub updates: Mean,
    /// Seconds of a run, updates alone.
    pub seconds: Mean,
}

impl Comparison {
    /// Reads what the finished runs left; an agent's is measured by `stpn eval`.
    ///
    /// # Errors
    /// Fails, naming the file, if one of a run is missing or damaged, or if an evaluation fails.
    pub fn of(plan: &Plan, protocol: Protocol) -> Result<Self> {
        let runs = plan.runs.iter().map(|run| measure::result(run, protocol)).collect::<Result<Vec<_>>>()?;
        let mut sizes: Vec<(CellName, usize, Size)> = Vec::new();
        for run in &plan.runs {
            if sizes.iter().all(|(cell, ..)| *cell != run.cell) {
                sizes.push((run.cell, *run.config.hidden(), run.size));
            }
        }
        let agent = plan.runs.iter().find_map(|run| Some((run, run.config.agent().ok()?)));
        let [random, oracle] = agent.map_or(Ok([None, None]), |(run, _)| measure::bounds(run, protocol.episodes))?;
        let possible = agent.map_or(SHARE, |(_, config)| config.env.return_bounds());
        let (measure, energy_measure) = match agent {
            Some(_) => (protocol.measure(), "per unit and step"),
            None => (ACCURACY, "per step, summed over units"),
        };
        let cells = sizes.iter().filter_map(|&(cell, units, size)| {
            let Size { parameters, state, multiply_adds } = size;
            let result = CellResult::of(cell.as_str(), units, parameters, &runs, &possible)?;
            Some(CellResult { state: Some(state), multiply_adds: Some(multiply_adds), ..result })
        });
        let task = plan.runs.first().map_or(String::new(), |run| task_label(&run.config));
        let device = plan.runs.first().map_or(ComputeDevice::Cpu, |run| run.config.training().device);
        Ok(Self {
            task,
            measure: measure.into(),
            energy_measure: energy_measure.into(),
            possible: [*possible.start(), *possible.end()].map(|end| end.is_finite().then_some(end)),
            random,
            oracle,
            statistics: statistics(),
            note: String::new(),
            provenance: Provenance::here().on(device).line(),
            compared: plan.cells.iter().map(ToString::to_string).collect(),
            cells: cells.collect(),
            runs,
        })
    }

    /// Marks the runs that diverged, of which `updates` were planned, and says so.
    pub fn note_diverged<'r>(&mut self, runs: impl IntoIterator<Item = &'r PlannedRun>, updates: u64) {
        let mut told = Vec::new();
        for planned in runs {
            let name = planned.name();
            for run in self.runs.iter_mut().filter(|run| run.directory == name) {
                run.diverged = true;
                let (after, of) = (thousands(run.updates), thousands(updates));
                told.push(format!("{} with seed {} after {after} of {of} updates", run.cell, run.seed));
            }
        }
        if !told.is_empty() {
            let best = if self.is_supervised() { "its best state in validation" } else { "its last state" };
            // Writing to a string cannot fail.
            let _ = write!(
                self.note,
                " **Diverged**: {}; a number stopped being finite, so that the run ended, and counts with {best} before.",
                told.join(", ")
            );
        }
    }

    /// The same from its runs, by the methods of this program.
    #[must_use]
    pub fn tabulated_again(self) -> Self {
        let possible = self.possible();
        let again = |cell: &CellResult| {
            let result = CellResult::of(&cell.cell, cell.units, cell.parameters, &self.runs, &possible)?;
            Some(CellResult { state: cell.state, multiply_adds: cell.multiply_adds, ..result })
        };
        Self { cells: self.cells.iter().filter_map(again).collect(), statistics: statistics(), ..self }
    }

    /// Between which values a result can lie.
    pub fn possible(&self) -> RangeInclusive<f64> {
        let [low, high] = self.possible;
        low.unwrap_or(*ANY.start())..=high.unwrap_or(*ANY.end())
    }

    /// The place of a cell among all that were compared, by which pictures colour it: the same on every task of a
    /// suite.
    pub fn place(&self, cell: &CellResult) -> usize {
        let known = self.compared.iter().position(|compared| *compared == cell.cell);
        known.or_else(|| self.cells.iter().position(|other| other.cell == cell.cell)).unwrap_or_default()
    }

    /// True for a supervised task.
    pub fn is_supervised(&self) -> bool {
        self.measure == ACCURACY
    }

    /// With how many decimals results are shown.
    pub fn decimals(&self) -> usize {
        if self.is_supervised() { 4 } else { 2 }
    }

    /// Header and rows of the table. Older results do not say how large states are.
    fn rows(&self) -> (Vec<&str>, Vec<Vec<String>>) {
        let sized = self.cells.iter().any(|cell| cell.state.is_some());
        let count = |number: Option<usize>| number.map_or("-".into(), |number| thousands(number as u64));
        let sizes = |cell: &CellResult| match sized {
            true => vec![count(cell.state), count(cell.multiply_adds)],
            false => Vec::new(),
        };
        let results = |cell: &CellResult| {
            [
                cell.result.display(self.decimals()),
                cell.energy.map_or("-".into(), |energy| energy.display(3)),
                format!("{:.0} s", cell.seconds.mean),
            ]
        };
        let row = |cell: &CellResult| {
            let begin = [cell.cell.clone(), cell.units.to_string(), count(Some(cell.parameters))];
            begin.into_iter().chain(sizes(cell)).chain(results(cell)).collect()
        };
        let sizes: &[&str] = if sized { &["state", "multiply-adds"] } else { &[] };
        let ends = (&["cell", "units", "parameters"], &[&self.measure, "energy", "time of a run"]);
        let header: Vec<&str> = [&ends.0[..], sizes, &ends.1[..]].concat();
        let mut rows: Vec<Vec<String>> = self.cells.iter().map(row).collect();
        for (name, value) in [("random policy", self.random), ("oracle", self.oracle)] {
            let Some(value) = value else { continue };
            let shown = |column: &&str| match *column {
                "cell" => name.to_string(),
                column if column == self.measure => format!("{value:.2}"),
                _ => "-".into(),
            };
            rows.push(header.iter().map(shown).collect());
        }
        (header, rows)
    }

    /// The table for a terminal.
    pub fn text(&self) -> String {
        let (header, rows) = self.rows();
        let results = header.len() - 3;
        let right: Vec<usize> = (1..header.len()).filter(|&column| column < results || column > results + 1).collect();
        let table = table::text(&header, &rows, &right);
        format!("\n{table}\n{}; energy {}\n{}", self.statistics, self.energy_measure, self.beside().join("\n"))
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let (header, rows) = self.rows();
        let mut text = table::markdown(&header, &rows);
        let seeds = self.cells.first().map_or(0, |cell| cell.result.count);
        // Here and below: writing to a string cannot fail.
        let _ = writeln!(text, "\n{}; seeds: {seeds}; energy {}.", self.statistics, self.energy_measure);
        for line in self.beside() {
            let _ = writeln!(text, "\n{line}.");
        }
        text
    }

    /// What stands below a table: on what footing the cells are, and aggregates that a lucky seed moves little.
    fn beside(&self) -> Vec<String> {
        let decimals = self.decimals();
        let shown = |name: &str, estimate: Estimate, decimals: usize| format!("{name} {}", estimate.display(decimals));
        let mut lines: Vec<String> = self.footing().into_iter().collect();
        if self.cells.iter().all(|cell| cell.result.count < 2) {
            return lines;
        }
        let means = self
            .cells
            .iter()
            .filter_map(|cell| Some(shown(&cell.cell, self.scores(&cell.cell).interquartile_mean()?, decimals)));
        let means = means.collect::<Vec<_>>().join("; ");
        if !means.is_empty() {
            lines.push(format!("Interquartile mean: {means}"));
        }
        if let Some((first, others)) = self.cells.split_first()
            && !others.is_empty()
        {
            let ahead = others.iter().filter_map(|other| {
                let won = self.scores(&first.cell).probability_of_improvement(&self.scores(&other.cell))?;
                Some(shown(&format!("of {}", other.cell), won, 2))
            });
            let ahead = ahead.collect::<Vec<_>>().join("; ");
            lines.push(format!("Probability that a seed of {} is ahead: {ahead}", first.cell));
        }
        lines.push(aggregate::METHOD.to_string());
        lines
    }

    /// Whether the cells have equal parameters, units or states; none of one cell.
    fn footing(&self) -> Option<String> {
        let ends = |values: &mut dyn Iterator<Item = usize>| {
            values.fold(None, |ends: Option<(usize, usize)>, value| {
                Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
            })
        };
        let (fewest, most) = ends(&mut self.cells.iter().map(|cell| cell.parameters))?;
        let (narrow, wide) = ends(&mut self.cells.iter().map(|cell| cell.units))?;
        if self.cells.len() < 2 {
            return None;
        }
        let range = format!("{} to {}", thousands(fewest as u64), thousands(most as u64));
        let mut states = self.cells.iter().map(|cell| cell.state);
        let first = states.next().flatten();
        let equal_state = first.is_some() && states.all(|state| state == first);
        Some(match (fewest as f64 >= EQUAL * most as f64, narrow == wide, equal_state) {
            (true, ..) => format!("The cells have nearly equal numbers of parameters ({range})"),
            (false, true, _) => format!("The cells have the same number of units, but not of parameters ({range})"),
            (false, false, true) => format!("The cells have the same size of state, but not of parameters ({range})"),
            (false, false, false) => format!("The cells differ in their numbers of units and of parameters ({range})"),
        })
    }

    /// The results of a cell, as scores of one task.
    fn scores(&self, cell: &str) -> Scores {
        Scores(vec![self.runs.iter().filter(|run| run.cell == cell).map(|run| run.result).collect()])
    }
}

impl CellResult {
    /// Of one cell's runs; none if there are none.
    fn of(
        cell: &str,
        units: usize,
        parameters: usize,
        runs: &[RunResult],
        possible: &RangeInclusive<f64>,
    ) -> Option<Self> {
        let of = |possible: &RangeInclusive<f64>, value: &dyn Fn(&RunResult) -> Option<f64>| {
            let values: Option<Vec<f64>> = runs.iter().filter(|run| run.cell == cell).map(value).collect();
            Mean::of(&values?, possible)
        };
        Some(Self {
            cell: cell.to_string(),
            units,
            parameters,
            state: None,
            multiply_adds: None,
            result: of(possible, &|run| Some(run.result))?,
            energy: of(&NOT_NEGATIVE, &|run| run.energy),
            updates: of(&NOT_NEGATIVE, &|run| Some(run.updates as f64))?,
            seconds: of(&NOT_NEGATIVE, &|run| Some(run.seconds))?,
        })
    }
}

fn statistics() -> String {
    format!("mean over seeds {METHOD}")
}
