//! The paper's experiments, as comparisons one after another.
//!
//! Runs are processes of the present program, which must have the command line therefore
//! ([`crate::cli::main_with`]); while they run, interrupts and requests to end are listened to and passed on.

mod claims;
mod experiments;
mod length;
mod verdict;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use stpn_core::cells::CellName;

pub use claims::{CLAIMS, Claim, Measure};
pub use experiments::{EXPERIMENTS, Experiment, Paper};
pub use length::{Length, Wanted};
use verdict::CHANGED;
pub use verdict::{Finding, Verdict};

use crate::comparison::generalization::{self, GENERALIZATION_TABLE};
use crate::comparison::jobs::{self, Jobs};
use crate::comparison::measure::{self, Protocol};
use crate::comparison::plan::Request;
use crate::comparison::{Comparison, GeneralizationCurves, Observer, Plan};
use crate::machine::Provenance;
use crate::presets;
use crate::progress::thousands;
use crate::{Error, Override, Result, files, table};

/// The picture of a comparison's learning curves.
const CURVES: &str = "learning-curves.svg";

/// How experiments are run.
#[derive(Clone, Debug)]
pub struct Reproduction {
    /// The cells, in place of all of the published comparison; none: all.
    pub cells: Vec<CellName>,
    /// Changes of every run's configuration, `section.key=value` each.
    pub overrides: Vec<Override>,
    /// Seeds 1 to this of every cell.
    pub seeds: u64,
    /// Length of every experiment's runs.
    pub length: Wanted,
    /// Episodes on which a trained agent is measured.
    pub episodes: usize,
    /// Runs at a time.
    pub jobs: Jobs,
    /// Where the runs are written.
    pub runs: PathBuf,
    /// Where tables, curves and their provenance are written.
    pub out: PathBuf,
}

impl Reproduction {
    /// Runs the experiments that are in this build to their end, in processes of this program, and writes what came of
    /// them; continues what was begun. `observer` hears how it goes.
    ///
    /// # Errors
    /// [`Error::Unfit`] if none is in this build; [`Error::Interrupted`]; fails if a run does.
    pub fn run(&self, chosen: &[&Experiment], observer: &dyn Observer) -> Result<()> {
        let (available, missing): (Vec<&Experiment>, Vec<&Experiment>) =
            chosen.iter().copied().partition(|experiment| experiment.is_available());
        for experiment in &missing {
            let feature = presets::find(experiment.preset).and_then(|preset| preset.missing_feature());
            let needed = feature.map_or(String::new(), |feature| format!(", which needs the feature `{feature}`"));
            observer.note(&format!("{}: not in this build{needed}", experiment.title));
        }
        if available.is_empty() {
            return Err(Error::Unfit("nothing to do in this build".into()));
        }
        for experiment in &available {
            observer.note(&format!("\n== {} ==", experiment.title));
            self.reproduce(experiment, observer)?;
        }
        summary(&self.out)?;
        files::write(&self.out.join("machine.json"), files::json(&Provenance::here())?)
    }

    /// Runs one experiment to its end.
    fn reproduce(&self, experiment: &Experiment, observer: &dyn Observer) -> Result<()> {
        let published_cells: Vec<CellName> = presets::get(experiment.preset)?.compared_cells().collect();
        let cells = if self.cells.is_empty() { published_cells.clone() } else { self.cells.clone() };
        let own = experiment.overrides.iter().map(|text| text.parse()).collect::<Result<Vec<Override>>>()?;
        let overrides = [&own[..], &self.overrides].concat();
        let of_cells = experiment.of_cells.iter().map(|(cell, text)| Ok((*cell, text.parse()?)));
        let of_cells = of_cells.collect::<Result<Vec<_>>>()?;
        let results = self.out.join(experiment.name);
        fs::create_dir_all(&results).map_err(Error::io("cannot create", &results))?;
        let directory = self.runs.join(experiment.name);
        let plan = |updates| {
            Plan::new(&Request {
                experiment: experiment.preset,
                environment: None,
                cells: &cells,
                seeds: self.seeds,
                updates,
                overrides: &overrides,
                of_cells: &of_cells,
                directory: &directory,
            })
        };
        let published = plan(experiment.updates)?;
        let length = length::length(&published, &results.join("plan.json"), self.length, self.jobs, self.seeds)?;
        let (updates, published) = (length.updates, length.published_updates);
        observer.note(&format!("{updates} of {published} published updates, for every cell"));
        let plan = plan(Some(length.updates))?;
        let diverged = jobs::train_or_diverge(&plan.runs, self.jobs, observer)?;
        diverged.iter().try_for_each(|failure| measure::test_diverged(&failure.run))?;
        let mut note = length.statement();
        if self.overrides.is_empty() {
            note += " Settings as published.";
        } else {
            let changed: Vec<String> = self.overrides.iter().map(ToString::to_string).collect();
            // Here and below: writing to a string cannot fail.
            let _ = write!(note, " {CHANGED} {}.", changed.join(", "));
        }
        let absent: Vec<&str> =
            published_cells.iter().filter(|cell| !cells.contains(cell)).map(|cell| cell.as_str()).collect();
        if !absent.is_empty() {
            let _ = write!(note, " **Not run**: {}.", absent.join(", "));
        }
        let mut comparison = Comparison { note, ..Comparison::of(&plan, Protocol::sampled(self.episodes))? };
        comparison.note_diverged(diverged.iter().map(|failure| &failure.run), updates);
        comparison.write(&results)?;
        if let Some(curves) = GeneralizationCurves::of(&plan)? {
            curves.write(&results)?;
        }
        observer.result(&comparison.text());
        section(experiment, &comparison, &results)
    }
}

/// Makes tables and pictures again from the results that lie in the folders of the chosen experiments; returns these.
///
/// # Errors
/// [`Error::Unfit`] if there are none; fails, naming the file, if one is damaged.
pub fn redraw(out: &Path, chosen: &[&Experiment]) -> Result<Vec<PathBuf>> {
    let there: Vec<&Experiment> = chosen.iter().copied().filter(|experiment| experiment.has_results(out)).collect();
    if there.is_empty() {
        return Err(Error::Unfit(format!("{} holds no results to draw: reproduce first", out.display())));
    }
    let mut drawn = Vec::new();
    for experiment in there {
        let results = out.join(experiment.name);
        let comparison = Comparison::read(&results)?.tabulated_again();
        comparison.write(&results)?;
        generalization::redraw(&results)?;
        section(experiment, &comparison, &results)?;
        drawn.push(results);
    }
    summary(out)?;
    Ok(drawn)
}

/// Writes an experiment's `section.md`.
fn section(experiment: &Experiment, comparison: &Comparison, results: &Path) -> Result<()> {
    let seeds = comparison.runs.iter().map(|run| run.seed).max().unwrap_or(0);
    // Each experiment has its own provenance: they may be run by several commands.
    let seeds = if seeds == 1 { "Seed 1".to_string() } else { format!("Seeds 1 to {seeds}") };
    let statement = format!("{}\n\n{seeds}; {}.", comparison.note, comparison.provenance);
    let picture = match results.join(CURVES).exists() {
        true => format!("![Learning curves]({CURVES})"),
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
    files::write(&results.join("section.md"), text)
}

/// Writes `README.md`: verdicts on the claims, then all sections.
fn summary(out: &Path) -> Result<()> {
    let mut text = format!(
        "# The paper's experiments\n\nRodriguez, Guo, Moraitis 2022. Made by `stpn reproduce`; `stpn reproduce \
         --redraw` writes this page again from the results in this folder.\n\n{}\n",
        claims_and_findings(out)?
    );
    for experiment in EXPERIMENTS {
        let section = fs::read_to_string(out.join(experiment.name).join("section.md"));
        // Writing to a string cannot fail.
        let _ = match section {
            // Pictures lie beside the section.
            Ok(section) => writeln!(text, "{}", section.replace("](", &format!("]({}/", experiment.name))),
            Err(_) => writeln!(text, "## {}\n\nNot run: there are no results of it.\n", experiment.title),
        };
    }
    files::write(&out.join("README.md"), text)
}

/// The table of what was claimed and what was found.
fn claims_and_findings(out: &Path) -> Result<String> {
    let mut rows = Vec::new();
    for experiment in EXPERIMENTS {
        let folder = out.join(experiment.name);
        let comparison = experiment.has_results(out).then(|| Comparison::read(&folder)).transpose()?;
        let published = experiment.published_updates()?;
        for claim in CLAIMS.iter().filter(|claim| claim.experiment == experiment.name) {
            let Finding { verdict, why, result, seeds, updates } = Finding::of(claim, comparison.as_ref(), published);
            let curves = match folder.join(CURVES).exists() {
                true => format!("[curves]({}/{CURVES})", experiment.name),
                false => "–".into(),
            };
            let length = format!("{} of {}", thousands(updates), thousands(published));
            let result = result.unwrap_or_else(|| "–".into());
            rows.push(vec![
                claim.text.to_string(),
                result,
                format!("**{verdict}**: {why}"),
                seeds.to_string(),
                length,
                curves,
            ]);
        }
    }
    let header = ["claim of the paper", "what we find", "verdict", "seeds", "updates", "curves"];
    Ok(format!("## What was claimed, what we find\n\n{}\n{}\n", table::markdown(&header, &rows), verdict::RULE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_that_was_not_run_was_dropped_when_drawn_again() {
        let out = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reproduction/art");
        let results = out.path().join("art");
        fs::create_dir_all(&results).unwrap();
        for name in ["comparison.json", "curves.csv"] {
            fs::copy(here.join(name), results.join(name)).unwrap();
        }
        let chosen = Experiment::chosen(Paper::All, None).unwrap();
        assert_eq!(redraw(out.path(), &chosen).unwrap(), [results]);
        let text = files::read(&out.path().join("README.md")).unwrap();
        assert!(text.contains("## Atari Pong\n\nNot run: there are no results of it."), "{text}");
        assert!(text.contains("| – | **not enough evidence**: not run | 0 | 0 of 31,250 | – |"), "{text}");
        assert!(text.contains("## Associative retrieval") && text.contains("](art/learning-curves.svg)"), "{text}");
        assert!(redraw(&out.path().join("none"), &chosen).is_err());
    }

    /// Copies a folder with all that is in it.
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let from = entry.unwrap().path();
            let to = to.join(from.file_name().unwrap());
            match from.is_dir() {
                true => copy(&from, &to),
                false => assert!(fs::copy(&from, &to).is_ok(), "{}", from.display()),
            }
        }
    }

    #[test]
    fn the_page_of_this_repository_is_made_again_from_its_results_alone() {
        let out = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reproduction");
        copy(&here, out.path());
        fs::remove_file(out.path().join("README.md")).unwrap();
        redraw(out.path(), &Experiment::chosen(Paper::All, None).unwrap()).unwrap();
        let [again, committed] = [out.path(), &here].map(|folder| files::read(&folder.join("README.md")).unwrap());
        assert!(again == committed, "`stpn reproduce --redraw` makes another reproduction/README.md:\n{again}");
        assert_eq!(again.lines().nth(4), Some("## What was claimed, what we find"));
    }
}
