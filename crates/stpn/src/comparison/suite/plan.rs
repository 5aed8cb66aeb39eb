//! Which comparisons a suite consists of.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use stpn_core::cells::CellName;

use super::tasks::{Suite, SuiteTask};
use crate::comparison::plan::{Plan, PlannedRun, Request};
use crate::progress::thousands;
use crate::{Error, Override, Result, overrides};

/// Steps of the published runs.
const PUBLISHED_STEPS: u64 = 15_000_000;

/// Steps of a published iteration, of whose mean return the MMER is the maximum.
const PUBLISHED_ITERATION: u64 = 65_536;

/// Keys that say which task it is, which the suite does.
const TASK_KEYS: [&str; 3] = ["env.name", "env.task", "env.level"];

/// What is compared on what.
pub struct SuiteRequest<'a> {
    /// The suite.
    pub suite: &'static Suite,
    /// The preset, which has to be the suite's.
    pub experiment: &'a str,
    /// Names of the tasks; none: all.
    pub tasks: &'a [String],
    /// The cells; none: the suite's.
    pub cells: &'a [CellName],
    /// How many seeds of every cell on every task, from 1 on.
    pub seeds: u64,
    /// Updates in place of the preset's.
    pub updates: Option<u64>,
    /// Keys of every run's configuration.
    pub overrides: &'a [Override],
    /// Where it is written.
    pub directory: &'a Path,
}

/// The comparisons of a suite.
#[derive(Clone)]
pub struct SuitePlan {
    /// The suite.
    pub suite: &'static Suite,
    /// Where they and the page on all of them are written.
    pub directory: PathBuf,
    /// The cells, in the order asked for.
    pub cells: Vec<CellName>,
    /// One a task.
    pub tasks: Vec<PlannedTask>,
    /// What is equal for all runs, what was shortened, changed and left out; Markdown.
    pub statement: String,
}

/// The comparison of cells on one task.
#[derive(Clone)]
pub struct PlannedTask {
    /// The task.
    pub task: &'static SuiteTask,
    /// Its runs, in a folder below the suite's.
    pub plan: Plan,
}

impl SuitePlan {
    /// Resolves the configurations of all tasks; on each, the cells are matched in parameters by themselves.
    ///
    /// # Errors
    /// [`Error::Unfit`] for another preset; [`Error::Assignment`] for an override of what the suite sets;
    /// [`Error::Unknown`] for a task that it has not; and as [`Plan::new`].
    pub fn new(request: &SuiteRequest<'_>) -> Result<Self> {
        let &SuiteRequest { suite, experiment, seeds, updates, overrides, directory, .. } = request;
        if experiment != suite.preset {
            let (name, preset) = (suite.name, suite.preset);
            return Err(Error::Unfit(format!("suite {name}: its tasks are those of the preset `{preset}` alone")));
        }
        for assignment in overrides {
            if TASK_KEYS.iter().any(|key| overrides::sets(std::slice::from_ref(assignment), key)) {
                let problem = format!("the tasks are those of the suite {}", suite.name);
                return Err(Error::Assignment { assignment: assignment.to_string(), problem });
            }
        }
        let cells = if request.cells.is_empty() { suite.cells } else { request.cells };
        let planned = |task: &'static SuiteTask| {
            let plan = Plan::new(&Request {
                experiment,
                environment: Some([task.task.name(), task.level.name()]),
                cells,
                seeds,
                updates,
                overrides,
                of_cells: &[],
                directory: &directory.join(task.folder()),
            })?;
            Ok(PlannedTask { task, plan })
        };
        let chosen = suite.chosen(request.tasks)?;
        let tasks = chosen.into_iter().map(planned).collect::<Result<Vec<_>>>()?;
        let statement = statement(request, cells, &tasks)?;
        Ok(Self { suite, directory: directory.to_path_buf(), cells: cells.to_vec(), tasks, statement })
    }

    /// The runs of all tasks, task by task.
    pub fn runs(&self) -> Vec<PlannedRun> {
        self.tasks.iter().flat_map(|task| task.plan.runs.iter().cloned()).collect()
    }

    /// The same without the cells of these runs, which diverged, on their tasks.
    pub(super) fn without<'r>(&self, diverged: impl IntoIterator<Item = &'r PlannedRun>) -> Self {
        let (mut plan, mut names) = (self.clone(), Vec::new());
        for run in diverged {
            for task in &mut plan.tasks {
                if run.directory.starts_with(&task.plan.directory) {
                    names.push(format!("{} on {} (seed {})", run.cell, task.task.title(), run.seed));
                    task.plan.runs.retain(|other| other.cell != run.cell);
                }
            }
        }
        plan.tasks.retain(|task| !task.plan.runs.is_empty());
        if !names.is_empty() {
            names.sort();
            let names = names.join(", ");
            plan.statement +=
                &format!(" **Diverged**, and without a result there: {names}: a number was no longer finite.");
        }
        plan
    }
}

/// What is equal for all runs, and how they differ from the published ones.
fn statement(request: &SuiteRequest<'_>, cells: &[CellName], tasks: &[PlannedTask]) -> Result<String> {
    let Some(run) = tasks.first().and_then(|task| task.plan.runs.first()) else { return Ok(String::new()) };
    let config = run.config.agent()?;
    let per_update = config.rollout.environments as u64 * config.rollout.steps as u64;
    let (updates, iteration) = (config.training.updates, per_update * config.log.every);
    let steps = updates * per_update;
    let mut text =
        format!("Every run has the same length: {} updates, {} steps.", thousands(updates), thousands(steps));
    // Here and below: writing to a string cannot fail.
    if steps < PUBLISHED_STEPS {
        let _ = write!(text, " **Shortened**: published runs have {} steps.", thousands(PUBLISHED_STEPS));
    }
    if iteration != PUBLISHED_ITERATION {
        let (ours, theirs) = (thousands(iteration), thousands(PUBLISHED_ITERATION));
        let _ = write!(text, " **Iterations** have {ours} steps in place of {theirs}, which the MMER depends on.");
    }
    if !request.overrides.is_empty() {
        let changed: Vec<String> = request.overrides.iter().map(ToString::to_string).collect();
        let _ = write!(text, " **Changed**: {}.", changed.join(", "));
    }
    let absent = |task: &&SuiteTask| tasks.iter().all(|planned| planned.task != *task);
    let tasks = request.suite.tasks.iter().filter(absent).map(SuiteTask::title);
    let cells = request.suite.cells.iter().filter(|cell| !cells.contains(cell)).map(ToString::to_string);
    let left_out: Vec<String> = tasks.chain(cells).collect();
    if !left_out.is_empty() {
        let _ = write!(text, " **Not run**: {}.", left_out.join(", "));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(experiment: &str, overrides: &[&str], updates: Option<u64>) -> Result<SuitePlan> {
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        SuitePlan::new(&SuiteRequest {
            suite: Suite::find("core").unwrap(),
            experiment,
            tasks: &["repeat-previous-hard".into(), "battleship-easy".into()],
            cells: &[CellName::Stpn, CellName::Gru],
            seeds: 2,
            updates,
            overrides: &overrides,
            directory: Path::new("suite"),
        })
    }

    #[test]
    fn every_task_is_a_comparison_of_its_own_matched_in_parameters() {
        let plan = plan("popgym", &[], None).unwrap();
        let runs = plan.runs();
        assert_eq!(runs.len(), 2 * 2 * 2);
        assert_eq!(runs[3].directory, Path::new("suite/repeat-previous-hard/gru-seed2"));
        assert_eq!(runs[3].title(), "repeat-previous hard gru-seed2");
        let mut targets = Vec::new();
        for task in &plan.tasks {
            let parameters: Vec<f64> = task.plan.runs.iter().map(|run| run.size.parameters as f64).collect();
            targets.push(parameters[0]);
            assert!(parameters.iter().all(|count| (count / parameters[0] - 1.0).abs() < 0.03), "{parameters:?}");
        }
        assert_ne!(targets[0], targets[1], "the tasks' spaces differ");
        assert!(plan.statement.starts_with("Every run has the same length: 3,664 updates, 15,007,744 steps. **Not"));
        assert!(plan.statement.contains("repeat-first easy") && plan.statement.contains("lstm"), "{}", plan.statement);
    }

    #[test]
    fn what_differs_from_the_published_runs_is_said() {
        let statement = plan("popgym", &["log.every=1"], Some(10)).unwrap().statement;
        for text in ["10 updates, 40,960 steps", "**Shortened**", "4,096 steps in place of 65,536", "log.every=1"] {
            assert!(statement.contains(text), "{text} in {statement}");
        }
    }

    #[test]
    fn one_cell_that_diverged_left_no_page_of_all_others() {
        let whole = plan("popgym", &[], None).unwrap();
        let runs = whole.runs();
        let part = whole.without([&runs[1], &runs[6]]);
        let left: Vec<String> = part.runs().iter().map(PlannedRun::title).collect();
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(left[0].starts_with("repeat-previous hard gru") && left[3].starts_with("battleship easy stpn"));
        let said = "stpn on repeat-previous hard (seed 2)";
        assert!(part.statement.contains(said) && part.statement.contains("gru on battleship easy (seed 1)"));
        let none = whole.without(&runs[..4]);
        assert_eq!(none.tasks.len(), 1);
    }

    #[test]
    fn what_contradicts_a_suite_is_refused() {
        let refused = |experiment: &str, overrides: &[&str]| match plan(experiment, overrides, None) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{experiment} {overrides:?}"),
        };
        assert_eq!(refused("maze", &[]), "suite core: its tasks are those of the preset `popgym` alone");
        for assignment in ["env.task=autoencode", "env.level=hard", "env=maze", "env={ name = 'popgym' }"] {
            let error = refused("popgym", &[assignment]);
            assert!(error.contains("the tasks are those of the suite core"), "{assignment}: {error}");
        }
        assert!(plan("popgym", &["env.antialias=false"], None).is_ok());
    }
}
