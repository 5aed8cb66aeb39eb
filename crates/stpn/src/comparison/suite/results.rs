//! What came of a suite, task by task and over all tasks.

use serde::{Deserialize, Serialize};

use super::elsewhere::{Elsewhere, Place};
use super::learned::Learned;
use super::mmer::mmer;
use super::plan::{PlannedTask, SuitePlan};
use crate::Result;
use crate::comparison::aggregate::{Estimate, Scores};
use crate::comparison::results::Comparison;
use crate::comparison::statistics::Mean;
use crate::machine::Provenance;
use crate::report::plasticity::Rates;
use crate::report::runs::RunData;
use stpn_agents::config::ComputeDevice;

/// The cell that the others are compared with, if it is among them.
const REFERENCE: &str = "stpn";

/// The results of a suite, as `suite.json` holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuiteResults {
    /// The suite's name.
    pub suite: String,
    /// What it is.
    pub title: String,
    /// What is equal for all runs, what was shortened, changed and left out; Markdown.
    pub statement: String,
    /// Where and by what it was made.
    pub provenance: String,
    /// The cell whose probability to be ahead of the others is told.
    pub reference: String,
    /// Every cell over all tasks.
    pub over_tasks: Vec<OverTasks>,
    /// One entry a task.
    pub tasks: Vec<TaskResults>,
}

/// A cell over all tasks and seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OverTasks {
    /// The cell.
    pub cell: String,
    /// Interquartile mean of final returns; none of too few runs.
    pub result: Option<Estimate>,
    /// Interquartile mean of MMERs; none of too few runs, or if a run has none.
    pub mmer: Option<Estimate>,
    /// Probability that a seed of the reference cell has a better final return than one of this cell; none of the
    /// reference itself.
    pub behind: Option<Estimate>,
}

/// The cells on one task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskResults {
    /// The task, as the comparison calls it.
    pub task: String,
    /// The folder of its comparison, below the suite's.
    pub folder: String,
    /// How many observations a memory has to span, at least and at most, if the task says so.
    pub span: Option<[u32; 2]>,
    /// Published MMER of the GRU, if it is known.
    pub published_gru: Option<f64>,
    /// Mean return of the uniformly random policy.
    pub random: Option<f64>,
    /// Expected return of the optimal policy, if it is known.
    pub oracle: Option<f64>,
    /// Whether its runs were long enough for learning curves.
    pub curves: bool,
    /// One entry a cell, in the order asked for.
    pub cells: Vec<CellOnTask>,
}

/// A cell on a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellOnTask {
    /// The cell.
    pub cell: String,
    /// Units.
    pub units: usize,
    /// Trainable parameters, heads included.
    pub parameters: usize,
    /// Maximum over the training of the mean return of an iteration, over seeds; none if a run has none.
    pub mmer: Option<Mean>,
    /// Final return on fresh seeds, over seeds.
    pub result: Mean,
    /// Every seed by itself.
    pub runs: Vec<RunScore>,
    /// What became of λ and γ, if the cell has them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learned: Option<Learned>,
    /// What it comes to at other levels, if the same agent can act there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub elsewhere: Vec<Elsewhere>,
}

/// A run by its two measures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunScore {
    /// The seed.
    pub seed: u64,
    /// Maximum over the training of the mean return of an iteration; none if no episode ended.
    pub mmer: Option<f64>,
    /// Mean return on fresh seeds after the training.
    pub result: f64,
}

impl TaskResults {
    /// Of the finished runs of a task, whose comparison is given; at other levels they are measured on so many episodes.
    ///
    /// # Errors
    /// Fails, naming the file, if one of a run is missing or damaged, and if an evaluation fails.
    pub fn of(planned: &PlannedTask, comparison: &Comparison, episodes: usize) -> Result<Self> {
        let places = Place::of(planned, episodes)?;
        let mut looked_into = Vec::new();
        for run in &planned.plan.runs {
            let data = RunData::read(&run.directory)?;
            looked_into.push((run, mmer(&data.lines), Rates::of(&data)?));
        }
        let mut cells = Vec::new();
        for of_cell in &comparison.cells {
            let (mut runs, mut rates) = (Vec::new(), Vec::new());
            for (run, mmer, of_run) in looked_into.extract_if(.., |(run, ..)| run.cell.as_str() == of_cell.cell) {
                let measured =
                    comparison.runs.iter().find(|other| (&*other.cell, other.seed) == (&*of_cell.cell, run.seed));
                runs.extend(measured.map(|measured| RunScore { seed: run.seed, mmer, result: measured.result }));
                rates.extend(of_run);
            }
            let of_cell_runs = || planned.plan.runs.iter().filter(|run| run.cell.as_str() == of_cell.cell);
            let possible = comparison.possible();
            let elsewhere = places.iter().map(|place| place.measure(of_cell_runs(), episodes, &possible));
            let elsewhere = elsewhere.filter_map(Result::transpose).collect::<Result<_>>()?;
            let mmers: Option<Vec<f64>> = runs.iter().map(|run| run.mmer).collect();
            cells.push(CellOnTask {
                cell: of_cell.cell.clone(),
                units: of_cell.units,
                parameters: of_cell.parameters,
                mmer: mmers.and_then(|mmers| Mean::of(&mmers, &possible)),
                result: of_cell.result,
                runs,
                learned: Learned::of(&rates),
                elsewhere,
            });
        }
        Ok(Self {
            task: comparison.task.clone(),
            folder: planned.task.folder(),
            span: planned.task.span,
            published_gru: planned.task.published_gru,
            random: comparison.random,
            oracle: comparison.oracle,
            curves: comparison.runs.iter().any(|run| !run.curve.is_empty()),
            cells,
        })
    }

    /// A cell's entry.
    pub fn cell(&self, name: &str) -> Option<&CellOnTask> {
        self.cells.iter().find(|cell| cell.cell == name)
    }
}

impl SuiteResults {
    /// Of all tasks of a plan.
    pub fn of(plan: &SuitePlan, tasks: Vec<TaskResults>) -> Self {
        let names = plan.cells.iter().map(ToString::to_string);
        let cells: Vec<String> =
            names.filter(|name| tasks.iter().any(|task: &TaskResults| task.cell(name).is_some())).collect();
        let device = plan.runs().first().map_or(ComputeDevice::Cpu, |run| run.config.training().device);
        let named = cells.iter().find(|cell| *cell == REFERENCE).or(cells.first());
        let mut results = Self {
            suite: plan.suite.name.into(),
            title: plan.suite.title.into(),
            statement: plan.statement.clone(),
            provenance: Provenance::here().on(device).line(),
            reference: named.cloned().unwrap_or_default(),
            over_tasks: Vec::new(),
            tasks,
        };
        results.over_tasks = cells.into_iter().map(|cell| results.over_tasks(cell)).collect();
        results
    }

    fn over_tasks(&self, cell: String) -> OverTasks {
        let result = self.scores(&cell, |run| Some(run.result));
        let reference = (cell != self.reference).then(|| self.scores(&self.reference, |run| Some(run.result)));
        OverTasks {
            result: result.interquartile_mean(),
            mmer: self.scores(&cell, |run| run.mmer).interquartile_mean(),
            behind: reference.and_then(|reference| reference.probability_of_improvement(&result)),
            cell,
        }
    }

    /// The scores of a cell, seed by seed of every task; none at all if a run has none.
    pub fn scores(&self, cell: &str, score: impl Fn(&RunScore) -> Option<f64>) -> Scores {
        let of_task = |task: &TaskResults| task.cell(cell)?.runs.iter().map(&score).collect::<Option<Vec<f64>>>();
        Scores(self.tasks.iter().map(of_task).collect::<Option<_>>().unwrap_or_default())
    }

    /// The cells, in the order asked for.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        self.over_tasks.iter().map(|cell| &*cell.cell)
    }

    /// The least and the greatest of a number of a cell over all tasks.
    pub fn range(&self, cell: &str, number: impl Fn(&CellOnTask) -> usize) -> Option<[usize; 2]> {
        let numbers = || self.tasks.iter().filter_map(|task| task.cell(cell)).map(&number);
        Some([numbers().min()?, numbers().max()?])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::comparison::statistics::ANY;

    /// Made up: on task `t` the runs of a cell have the returns that are given, and MMERs 0.1 above.
    pub fn made_up(tasks: &[&[(&str, [f64; 2])]]) -> SuiteResults {
        let cell = |(name, results): &(&str, [f64; 2])| CellOnTask {
            cell: name.to_string(),
            units: 9,
            parameters: 1000,
            mmer: Mean::of(&results.map(|result| result + 0.1), &ANY),
            result: Mean::of(results, &ANY).unwrap(),
            runs: (1..)
                .zip(results)
                .map(|(seed, &result)| RunScore { seed, mmer: Some(result + 0.1), result })
                .collect(),
            learned: (*name == "stpn").then(|| Learned {
                time_constants: [Some(0.5), Some(3.0), None],
                gamma: [-0.5, 0.0, 0.25],
                outside: 0.125,
            }),
            elsewhere: vec![Elsewhere {
                level: "hard".into(),
                random: Some(-0.25),
                result: Mean::of(results, &ANY).unwrap(),
            }],
        };
        let task = |(number, cells): (usize, &&[(&str, [f64; 2])])| TaskResults {
            task: format!("popgym task{number} easy"),
            folder: format!("task{number}-easy"),
            span: (number == 0).then_some([1, 51]),
            published_gru: (number == 0).then_some(-0.283),
            random: Some(-0.5),
            oracle: None,
            curves: true,
            cells: cells.iter().map(cell).collect(),
        };
        let mut results = SuiteResults {
            suite: "core".into(),
            title: "Made up".into(),
            statement: "Every run has the same length.".into(),
            provenance: "a machine".into(),
            reference: "stpn".into(),
            over_tasks: Vec::new(),
            tasks: tasks.iter().enumerate().map(task).collect(),
        };
        let cells: Vec<String> = tasks[0].iter().map(|(cell, _)| cell.to_string()).collect();
        results.over_tasks = cells.into_iter().map(|cell| results.over_tasks(cell)).collect();
        results
    }

    #[test]
    fn aggregates_are_over_all_tasks_and_seeds() {
        let stpn = ("stpn", [0.1, 0.3]);
        let results = made_up(&[&[stpn, ("lstm", [0.0, 0.2])], &[("stpn", [0.5, 0.9]), ("lstm", [0.6, 0.6])]]);
        let [stpn, lstm] = &results.over_tasks[..] else { panic!("two cells") };
        assert!((stpn.result.unwrap().value - 0.4).abs() < 1e-12, "of the middle half, 0.3 and 0.5");
        assert!((stpn.mmer.unwrap().value - 0.5).abs() < 1e-12);
        assert!(stpn.behind.is_none());
        assert!((lstm.behind.unwrap().value - (0.75 + 0.5) / 2.0).abs() < 1e-12);
        assert_eq!(results.range("lstm", |cell| cell.parameters), Some([1000, 1000]));
        assert_eq!(results.range("gru", |cell| cell.parameters), None);
    }

    #[test]
    fn a_run_without_an_mmer_leaves_none_over_all_tasks() {
        let mut results = made_up(&[&[("stpn", [0.1, 0.3])], &[("stpn", [0.5, 0.9])]]);
        results.tasks[1].cells[0].runs[0].mmer = None;
        let over = results.over_tasks("stpn".into());
        assert_eq!(over.mmer, None);
        assert!(over.result.is_some());
    }
}
