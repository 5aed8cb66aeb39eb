//! Suites: the same cells compared on many tasks, and one page on all of them.
//!
//! Every task is a comparison like any other ([`crate::comparison::Plan`], [`crate::comparison::Comparison`]), with a
//! folder of its own; what is said over all of them is here.

mod elsewhere;
mod figures;
mod files;
mod learned;
mod mmer;
mod page;
mod plan;
mod results;
mod tasks;

pub use elsewhere::Elsewhere;
pub use files::RESULTS;
pub use learned::Learned;
pub use mmer::mmer;
pub use plan::{PlannedTask, SuitePlan, SuiteRequest};
pub use results::{CellOnTask, OverTasks, RunScore, SuiteResults, TaskResults};
pub use tasks::{SUITES, Suite, SuiteTask};

use super::jobs::{self, Jobs};
use super::measure::Protocol;
use super::{Comparison, Observer};
use crate::Result;

/// Trains what is not finished, all tasks' runs in one queue; measures agents on `episodes` fresh episodes, those of easy
/// levels also at harder ones that look the same; and writes every task's comparison into its folder and what came of all
/// into the suite's. If a run diverges, its cell has no result on that task, and the page says so.
///
/// # Errors
/// As [`jobs::train_or_diverge`] and [`Comparison::of`]; fails if a file cannot be written.
pub fn run(plan: &SuitePlan, jobs: Jobs, episodes: usize, observer: &dyn Observer) -> Result<SuiteResults> {
    let diverged = jobs::train_or_diverge(&plan.runs(), jobs, observer)?;
    let plan = &plan.without(diverged.iter().map(|failure| &failure.run));
    if let (true, Some(first)) = (plan.tasks.is_empty(), diverged.into_iter().next()) {
        return Err(first.error);
    }
    let mut tasks = Vec::new();
    for task in &plan.tasks {
        observer.note(&format!("measuring {}", task.task.title()));
        let comparison = Comparison::of(&task.plan, Protocol::sampled(episodes))?;
        comparison.write(&task.plan.directory)?;
        tasks.push(TaskResults::of(task, &comparison, episodes)?);
    }
    let results = SuiteResults::of(plan, tasks);
    results.write(&plan.directory)?;
    Ok(results)
}
