//! `stpn reproduce`: the paper's experiments, as comparisons one after another.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use stpn_core::cells::CellName;

use crate::asked::Asked;
use crate::cell;
use crate::cli::{Paper, ReproduceArguments, words};
use crate::comparison::children::children;
use crate::comparison::generalization::{self, GENERALIZATION_TABLE};
use crate::comparison::jobs::{self, Jobs};
use crate::comparison::plan::Request;
use crate::comparison::{Comparison, GeneralizationCurves, Plan};
use crate::exit::UsageError;
use crate::machine::Provenance;
use crate::presets::{self, PRESETS};
use crate::{program, say};

/// One comparison of the paper.
struct Experiment {
    /// Which part of the paper it belongs to.
    paper: Paper,
    /// Name of its folder.
    name: &'static str,
    title: &'static str,
    preset: &'static str,
    overrides: &'static [&'static str],
    /// Updates at the published settings, where they are not the preset's.
    updates: Option<u64>,
}

const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        paper: Paper::Art,
        name: "art",
        title: "Associative retrieval",
        preset: "art",
        overrides: &[],
        updates: None,
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fresh-r3",
        title: "Familiarity detection, trained at R = 3 on fresh data",
        preset: "familiarity",
        overrides: &["task.interval=3", "task.data=fresh"],
        updates: Some(1600),
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fixed-r3",
        title: "Familiarity detection, trained at R = 3 on one fixed data set",
        preset: "familiarity",
        overrides: &["task.interval=3", "task.data=fixed"],
        updates: Some(3000),
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fresh-r6",
        title: "Familiarity detection, trained at R = 6 on fresh data",
        preset: "familiarity",
        overrides: &["task.interval=6", "task.data=fresh"],
        updates: Some(3500),
    },
    Experiment {
        paper: Paper::Maze,
        name: "maze",
        title: "Maze exploration",
        preset: "maze",
        overrides: &[],
        updates: None,
    },
    Experiment {
        paper: Paper::Pendulum,
        name: "pendulum",
        title: "MuJoCo InvertedPendulum",
        preset: "inverted-pendulum",
        overrides: &[],
        updates: None,
    },
    Experiment { paper: Paper::Pong, name: "pong", title: "Atari Pong", preset: "pong", overrides: &[], updates: None },
];

/// Updates of a trial that measures how long one takes; the first is not counted, for it warms up.
const TRIAL_UPDATES: u64 = 3;

/// How long the runs of an experiment are, as `plan.json` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Length {
    /// Updates at the published settings.
    published_updates: u64,
    /// Updates of every run here.
    updates: u64,
    /// The budget in minutes that this follows from.
    budget_minutes: Option<f64>,
    /// Seconds of an update of each cell, measured beforehand.
    seconds_per_update: BTreeMap<String, f64>,
}

/// Runs the command.
pub fn run(arguments: &ReproduceArguments) -> Result<ExitCode> {
    children()?;
    let chosen = chosen(arguments)?;
    if arguments.redraw {
        return redraw(arguments, &chosen);
    }
    let available =
        |e: &&Experiment| PRESETS.iter().any(|preset| preset.name == e.preset && preset.missing_feature().is_none());
    let (available, missing): (Vec<&Experiment>, Vec<&Experiment>) = chosen.into_iter().partition(available);
    for experiment in &missing {
        say::note(format!("{}: not in this build; `stpn train {}` says how", experiment.title, experiment.preset));
    }
    if available.is_empty() {
        bail!("nothing to do in this build");
    }
    let jobs = Jobs::new(arguments.jobs, arguments.threads)?;
    let share = arguments.budget.map(|minutes| minutes / available.len() as f64);
    for experiment in &available {
        say::note(format!("\n== {} ==", experiment.title));
        reproduce(experiment, arguments, jobs, share)?;
    }
    summary(&arguments.out, &missing)?;
    let path = arguments.out.join("machine.json");
    let machine = serde_json::to_string_pretty(&Provenance::here())? + "\n";
    fs::write(&path, machine).with_context(|| format!("cannot write {}", path.display()))?;
    say::result(format!("\nwritten to {}", arguments.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// The experiments asked for.
fn chosen(arguments: &ReproduceArguments) -> Result<Vec<&'static Experiment>> {
    let of_paper = EXPERIMENTS.iter().filter(|e| arguments.what == Paper::All || arguments.what == e.paper);
    let Some(only) = &arguments.only else { return Ok(of_paper.collect()) };
    let names: Vec<&str> = of_paper.clone().map(|e| e.name).collect();
    match of_paper.clone().find(|e| e.name == only) {
        Some(experiment) => Ok(vec![experiment]),
        None => Err(UsageError(format!("--only {only}: there are: {}", names.join(", "))).into()),
    }
}

/// Runs one experiment to its end.
fn reproduce(experiment: &Experiment, arguments: &ReproduceArguments, jobs: Jobs, share: Option<f64>) -> Result<()> {
    let preset = presets::load(experiment.preset)?.1.context("a preset of this name exists")?;
    let published_cells: Vec<CellName> = preset.published_cells().collect();
    let asked = arguments.cells.iter().map(|name| cell::parse(name)).collect::<Result<Vec<_>>>()?;
    let cells = if asked.is_empty() { published_cells.clone() } else { asked };
    let own = experiment.overrides.iter().map(|text| (*text).to_string());
    let overrides: Vec<String> = own.chain(arguments.overrides.iter().cloned()).collect();
    let results = arguments.out.join(experiment.name);
    fs::create_dir_all(&results).with_context(|| format!("cannot create {}", results.display()))?;
    let directory = arguments.runs.join(experiment.name);
    let plan = |updates| {
        let experiment = experiment.preset;
        let (cells, overrides, directory) = (&cells[..], &overrides[..], &directory);
        Plan::new(&Request { experiment, cells, seeds: arguments.seeds, updates, overrides, directory })
    };
    let published = plan(experiment.updates)?;
    let length = length(&published, &results.join("plan.json"), arguments, jobs, share)?;
    say::note(format!("{} of {} published updates, for every cell", length.updates, length.published_updates));
    let plan = plan(Some(length.updates))?;
    jobs::train(&plan.runs, jobs)?;
    let mut note = length.statement();
    if !arguments.overrides.is_empty() {
        // Here and below: writing to a string cannot fail.
        let _ = write!(note, " **Changed**: {}.", arguments.overrides.join(", "));
    }
    let absent: Vec<&str> =
        published_cells.iter().filter(|cell| !cells.contains(cell)).map(|cell| cell.as_str()).collect();
    if !absent.is_empty() {
        let _ = write!(note, " **Not run**: {}.", absent.join(", "));
    }
    let comparison = Comparison { note, ..Comparison::of(&plan, arguments.episodes)? };
    comparison.write(&results)?;
    if let Some(curves) = GeneralizationCurves::of(&plan)? {
        curves.write(&results)?;
    }
    say::result(comparison.text());
    section(experiment, &comparison, &results)
}

/// Makes tables and pictures again from the results that lie in the folders of the chosen experiments.
fn redraw(arguments: &ReproduceArguments, chosen: &[&Experiment]) -> Result<ExitCode> {
    let there = |e: &&&Experiment| arguments.out.join(e.name).join("comparison.json").exists();
    let there: Vec<&&Experiment> = chosen.iter().filter(there).collect();
    if there.is_empty() {
        bail!("{} holds no results: run `stpn reproduce` without --redraw first", arguments.out.display());
    }
    for experiment in there {
        let results = arguments.out.join(experiment.name);
        let comparison = Comparison::read(&results)?.tabulated_again();
        comparison.write(&results)?;
        generalization::redraw(&results)?;
        section(experiment, &comparison, &results)?;
        say::result(results.display().to_string());
    }
    summary(&arguments.out, &[])?;
    Ok(ExitCode::SUCCESS)
}

/// Writes an experiment's `section.md`.
fn section(experiment: &Experiment, comparison: &Comparison, results: &Path) -> Result<()> {
    let seeds = comparison.runs.iter().map(|run| run.seed).max().unwrap_or(0);
    // Each experiment has its own provenance: they may be run by several commands.
    let statement = format!("{}\n\nSeeds 1 to {seeds}; {}.", comparison.note, comparison.provenance);
    let picture = match results.join("learning-curves.svg").exists() {
        true => "![Learning curves](learning-curves.svg)".to_string(),
        false => String::new(),
    };
    let others = fs::read_to_string(results.join(GENERALIZATION_TABLE)).map_or_else(
        |_| String::new(),
        |table| {
            let picture = "![Generalisation](generalization.svg)";
            format!("### At other intervals than the trained one\n\n{table}\n{picture}\n")
        },
    );
    let (title, table) = (experiment.title, comparison.markdown());
    let text = format!("## {title}\n\n{statement}\n\n{table}\n{picture}\n\n{others}");
    fs::write(results.join("section.md"), text).with_context(|| format!("cannot write to {}", results.display()))
}

/// How long the runs are: as published, as asked, or as many updates, equal for all cells, as take the share of the
/// budget. A plan made before is only ever lengthened, so that its runs can be continued.
fn length(plan: &Plan, path: &Path, arguments: &ReproduceArguments, jobs: Jobs, share: Option<f64>) -> Result<Length> {
    let published_updates = plan.runs.first().map_or(1, |run| run.config.training().updates);
    let earlier: Length =
        fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut length = Length { published_updates, updates: published_updates, ..earlier.clone() };
    length.budget_minutes = share;
    if let Some(updates) = arguments.updates {
        length.updates = updates.max(earlier.updates);
    } else if let Some(minutes) = share {
        for run in plan.runs.iter().filter(|run| run.seed == 1) {
            if let Entry::Vacant(entry) = length.seconds_per_update.entry(run.cell.to_string()) {
                entry.insert(trial(&run.asked, jobs.threads)?);
            }
        }
        let cells = plan.runs.iter().filter(|run| run.seed == 1).map(|run| run.cell.to_string());
        let per_update: f64 = cells.filter_map(|cell| length.seconds_per_update.get(&cell)).sum();
        let affordable = minutes * 60.0 * jobs.jobs as f64 / (per_update * arguments.seeds as f64);
        length.updates = (affordable as u64).clamp(1, published_updates).max(earlier.updates.min(published_updates));
    }
    let text = serde_json::to_string_pretty(&length)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(length)
}

impl Length {
    /// What was shortened and how.
    fn statement(&self) -> String {
        let Self { published_updates, updates, budget_minutes, .. } = self;
        if updates == published_updates {
            return format!("At the published length of {updates} updates.");
        }
        if updates > published_updates {
            return format!("**Longer**: {updates} updates in place of {published_updates}.");
        }
        let budget = budget_minutes.map_or(String::new(), |minutes| format!(" for a budget of {minutes:.1} minutes"));
        format!(
            "**Shortened**: {updates} updates in place of {published_updates}{budget}, the same for every cell; other \
             settings as published."
        )
    }
}

/// Seconds of an update of the training that is asked for.
fn trial(asked: &Asked, threads: usize) -> Result<f64> {
    let directory = std::env::temp_dir().join(format!("stpn-trial-{}", std::process::id()));
    // Every update is logged, whatever the experiment says: the first and the last are looked at.
    let overrides = asked.overrides.iter().cloned().chain(["log.every=1".to_string()]).collect();
    let asked = Asked { updates: Some(TRIAL_UPDATES), threads: Some(threads), overrides, ..asked.clone() };
    let run = || -> Result<f64> {
        let mut command = program::again()?;
        command.args(words::train(&asked)).arg("--run-dir").arg(&directory).arg("--with-parent");
        let output = children()?.output(&mut command)?;
        if !output.status.success() {
            bail!("the trial failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metrics = fs::read_to_string(directory.join("metrics.jsonl")).context("the trial's metrics")?;
        let elapsed = metrics.lines().filter_map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).ok()?;
            entry["time/elapsed_seconds"].as_f64()
        });
        let elapsed: Vec<f64> = elapsed.collect();
        match elapsed[..] {
            [first, .., last] => Ok((last - first) / (elapsed.len() - 1) as f64),
            _ => bail!("the trial logged less than two updates"),
        }
    };
    let seconds = run();
    // Best effort: it lies among the system's temporary files.
    let _ = fs::remove_dir_all(&directory);
    seconds
}

/// Writes `README.md` of all sections there are.
fn summary(out: &Path, missing: &[&Experiment]) -> Result<()> {
    let mut text = String::from("# The paper's experiments\n\nRodriguez, Guo, Moraitis 2022. ");
    // Writing to a string cannot fail.
    text.push_str("Made by `stpn reproduce`.\n\n");
    for experiment in EXPERIMENTS {
        if let Ok(section) = fs::read_to_string(out.join(experiment.name).join("section.md")) {
            // Pictures lie beside the section.
            let _ = writeln!(text, "{}", section.replace("](", &format!("]({}/", experiment.name)));
        }
    }
    for experiment in missing {
        let _ = writeln!(text, "## {}\n\nNot run: not in this build of stpn.\n", experiment.title);
    }
    let path = out.join("README.md");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_experiment_says_so() {
        let whole = Length { published_updates: 200, updates: 200, ..Length::default() };
        assert!(!whole.statement().contains("Shortened"));
        let long = Length { updates: 201, ..whole.clone() };
        assert!(long.statement().contains("**Longer**: 201 updates in place of 200"), "{}", long.statement());
        let short = Length { updates: 7, budget_minutes: Some(2.5), ..whole };
        let statement = short.statement();
        assert!(statement.contains("7 updates in place of 200") && statement.contains("2.5 minutes"), "{statement}");
    }
}
