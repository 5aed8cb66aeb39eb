//! `stpn compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use stpn_core::cells::CellName;

use super::{lock, watching::Watching};
use crate::cli::CompareArguments;
use crate::cli::exit::UsageError;
use crate::comparison::children::children;
use crate::comparison::jobs::Jobs;
use crate::comparison::measure::Protocol;
use crate::comparison::plan::Request;
use crate::comparison::suite::{self, Suite, SuitePlan, SuiteRequest};
use crate::comparison::{Comparison, GeneralizationCurves, Plan, across, jobs};
use crate::presets::{Preset, Size};
use crate::progress::thousands;
use crate::{cell, overrides, presets, ranks, say, table};

/// Episodes on which a trained agent is measured unless a number is given.
const EPISODES: usize = 200;

/// Runs the command.
pub fn run(arguments: &CompareArguments) -> Result<ExitCode> {
    ranks::refuse_several()?;
    children()?;
    let jobs = Jobs::new(arguments.how.jobs, arguments.how.threads)?;
    if let Some(suite) = arguments.suite {
        return compare_suite(arguments, suite, jobs);
    }
    match &arguments.experiments[..] {
        [only] => {
            let directory = directory(arguments, only);
            compare(arguments, only, &directory, jobs)?;
            let files = "comparison.json, comparison.md, curves.csv, pictures";
            say::result(format!("written to {}: {files}", directory.display()));
        }
        several => compare_several(arguments, several, jobs)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares on one task.
fn compare(arguments: &CompareArguments, experiment: &str, directory: &Path, jobs: Jobs) -> Result<()> {
    let plan = plan(arguments, experiment, directory)?;
    let _lock = lock(directory)?;
    describe(&plan, presets::load(experiment)?.1, overrides::sets(&arguments.overrides, "policy.hidden"));
    jobs::train(&plan.runs, jobs, &Watching::default())?;
    let episodes = arguments.how.episodes.unwrap_or(EPISODES);
    let comparison = Comparison::of(&plan, Protocol { episodes, deterministic: arguments.deterministic })?;
    comparison.write(&plan.directory)?;
    if let Some(curves) = GeneralizationCurves::of(&plan)? {
        curves.write(&plan.directory)?;
    }
    say::result(comparison.text());
    Ok(())
}

/// The runs on one task.
fn plan(arguments: &CompareArguments, experiment: &str, directory: &Path) -> Result<Plan> {
    let plan = Plan::new(&Request {
        experiment,
        environment: None,
        cells: &cells(arguments, experiment)?,
        seeds: arguments.how.seeds,
        updates: arguments.updates,
        overrides: &arguments.overrides,
        of_cells: &[],
        directory,
    })?;
    if arguments.deterministic && plan.runs.iter().any(|run| run.config.agent().is_err()) {
        let problem = format!("--deterministic is for agents; {experiment} is a supervised task");
        return Err(UsageError(problem).into());
    }
    Ok(plan)
}

/// Compares on one task after the other, and then over all of them.
fn compare_several(arguments: &CompareArguments, experiments: &[String], jobs: Jobs) -> Result<()> {
    let folders: Vec<String> = experiments.iter().map(|experiment| super::stem(experiment).to_string()).collect();
    for (place, folder) in folders.iter().enumerate() {
        if folders[..place].contains(folder) {
            return Err(UsageError(format!("{folder}: is named twice, and its runs would share a folder")).into());
        }
    }
    // What is refused is refused before anything is trained.
    let directory = directory(arguments, &folders.join("-"));
    for (experiment, folder) in experiments.iter().zip(&folders) {
        plan(arguments, experiment, &directory.join(folder))?;
    }
    for (experiment, folder) in experiments.iter().zip(&folders) {
        say::result(format!("\n== {experiment} =="));
        compare(arguments, experiment, &directory.join(folder), jobs)?;
    }
    match across::write(&directory, &folders)? {
        Some(across) => say::result(across.text()),
        None => say::note("no cell was compared on every task: nothing is said over all of them"),
    }
    say::result(format!("written to {}: tasks.md, scores.csv, profiles.svg, a folder a task", directory.display()));
    Ok(())
}

/// Where a comparison of that name is written.
fn directory(arguments: &CompareArguments, name: &str) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| super::default_directory("compare", name))
}

/// Compares on every task of a suite.
fn compare_suite(arguments: &CompareArguments, suite: &'static Suite, jobs: Jobs) -> Result<ExitCode> {
    let [experiment] = &arguments.experiments[..] else {
        let problem = format!("--suite {}: its tasks are those of the preset `{}` alone", suite.name, suite.preset);
        return Err(UsageError(problem).into());
    };
    let directory = directory(arguments, &format!("{}-{}", suite.preset, suite.name));
    let plan = SuitePlan::new(&SuiteRequest {
        suite,
        experiment,
        tasks: &arguments.tasks,
        cells: &cell::parse_all(&arguments.cells)?,
        seeds: arguments.how.seeds,
        updates: arguments.updates,
        overrides: &arguments.overrides,
        directory: &directory,
    })?;
    let _lock = lock(&directory)?;
    say::note(format!("{} tasks. {}", plan.tasks.len(), plan.statement));
    let results = suite::run(&plan, jobs, arguments.how.episodes.unwrap_or(EPISODES), &Watching::default())?;
    say::result(results.text());
    say::result(format!("written to {}: suite.md, suite.json, scores.csv, a folder a task", directory.display()));
    Ok(ExitCode::SUCCESS)
}

/// The cells asked for, or all of the published comparison.
fn cells(arguments: &CompareArguments, experiment: &str) -> Result<Vec<CellName>> {
    if !arguments.cells.is_empty() {
        return Ok(cell::parse_all(&arguments.cells)?);
    }
    let preset = presets::load(experiment)?.1;
    let published: Vec<CellName> = preset.into_iter().flat_map(|preset| preset.compared_cells()).collect();
    if published.is_empty() {
        return Err(UsageError("--cells: name the cells to compare, e.g. --cells stpn,lstm,rnn".into()).into());
    }
    Ok(published)
}

/// Says the sizes side by side, and where they come from.
fn describe(plan: &Plan, preset: Option<&Preset>, set: bool) {
    let rows: Vec<Vec<String>> = (plan.runs.iter().filter(|run| run.seed == 1))
        .map(|run| {
            let units = run.config.hidden().to_string();
            let Size { parameters, state, multiply_adds } = run.size;
            let numbers = [parameters, state, multiply_adds].map(|number| thousands(number as u64));
            [run.cell.to_string(), units].into_iter().chain(numbers).collect()
        })
        .collect();
    say::result(table::text(&["cell", "units", "parameters", "state", "multiply-adds a step"], &rows, &[1, 2, 3, 4]));
    let cells = plan.runs.iter().filter(|run| run.seed == 1).map(|run| run.cell);
    say::result(match set {
        true => "sizes: the units that are set".to_string(),
        false => sizes(cells.map(|cell| (cell, preset.and_then(|preset| preset.published_size(cell)).is_some()))),
    });
}

/// How the sizes were chosen: of every cell, whether the preset's comparison has one.
fn sizes(cells: impl Iterator<Item = (CellName, bool)>) -> String {
    let (given, matched): (Vec<_>, Vec<_>) = cells.partition(|(_, given)| *given);
    let names =
        |cells: &[(CellName, bool)]| cells.iter().map(|(cell, _)| cell.to_string()).collect::<Vec<_>>().join(", ");
    match (given.is_empty(), matched.is_empty()) {
        (true, _) => "sizes: matched in parameters".into(),
        (false, true) => "sizes: the units of the preset's own comparison".into(),
        (false, false) => format!(
            "sizes: the units of the preset's own comparison; {} matched in parameters to the preset's network",
            names(&matched)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_was_not_said_how_sizes_were_chosen() {
        let said = |cells: &[(CellName, bool)]| sizes(cells.iter().copied());
        assert_eq!(said(&[(CellName::Stpn, false)]), "sizes: matched in parameters");
        assert!(said(&[(CellName::Stpn, true)]).ends_with("own comparison"));
        assert!(said(&[(CellName::Stpn, true), (CellName::Gru, false)]).contains("; gru matched"));
    }
}
