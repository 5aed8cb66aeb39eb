//! The paper's experiments, as comparisons one after another.
//!
//! Runs are processes of the present program, which must have the command line therefore
//! ([`crate::cli::main_with`]); while they run, interrupts and requests to end are listened to and passed on.

mod experiments;
mod length;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use stpn_core::cells::CellName;

pub use experiments::{EXPERIMENTS, Experiment, Paper};
pub use length::{Length, Wanted};

use crate::comparison::generalization::{self, GENERALIZATION_TABLE};
use crate::comparison::jobs::{self, Jobs};
use crate::comparison::plan::Request;
use crate::comparison::{Comparison, GeneralizationCurves, Observer, Plan};
use crate::machine::Provenance;
use crate::presets;
use crate::{Error, Override, Result, files};

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
        summary(&self.out, &missing, "not in this build of stpn")?;
        files::write(&self.out.join("machine.json"), files::json(&Provenance::here())?)
    }

    /// Runs one experiment to its end.
    fn reproduce(&self, experiment: &Experiment, observer: &dyn Observer) -> Result<()> {
        let published_cells: Vec<CellName> = presets::get(experiment.preset)?.compared_cells().collect();
        let cells = if self.cells.is_empty() { published_cells.clone() } else { self.cells.clone() };
        let own = experiment.overrides.iter().map(|text| text.parse()).collect::<Result<Vec<Override>>>()?;
        let overrides = [&own[..], &self.overrides].concat();
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
                directory: &directory,
            })
        };
        let published = plan(experiment.updates)?;
        let length = length::length(&published, &results.join("plan.json"), self.length, self.jobs, self.seeds)?;
        let (updates, published) = (length.updates, length.published_updates);
        observer.note(&format!("{updates} of {published} published updates, for every cell"));
        let plan = plan(Some(length.updates))?;
        jobs::train(&plan.runs, self.jobs, observer)?;
        let mut note = length.statement();
        if !self.overrides.is_empty() {
            let changed: Vec<String> = self.overrides.iter().map(ToString::to_string).collect();
            // Here and below: writing to a string cannot fail.
            let _ = write!(note, " **Changed**: {}.", changed.join(", "));
        }
        let absent: Vec<&str> =
            published_cells.iter().filter(|cell| !cells.contains(cell)).map(|cell| cell.as_str()).collect();
        if !absent.is_empty() {
            let _ = write!(note, " **Not run**: {}.", absent.join(", "));
        }
        let comparison = Comparison { note, ..Comparison::of(&plan, self.episodes)? };
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
    let (there, missing): (Vec<&Experiment>, Vec<&Experiment>) =
        chosen.iter().copied().partition(|experiment| out.join(experiment.name).join("comparison.json").exists());
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
    summary(out, &missing, "there are no results of it")?;
    Ok(drawn)
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
    files::write(&results.join("section.md"), text)
}

/// Writes `README.md` from all sections; of those in `missing` that have none it says `why`.
fn summary(out: &Path, missing: &[&Experiment], why: &str) -> Result<()> {
    let mut text =
        String::from("# The paper's experiments\n\nRodriguez, Guo, Moraitis 2022. Made by `stpn reproduce`.\n\n");
    for experiment in EXPERIMENTS {
        let section = fs::read_to_string(out.join(experiment.name).join("section.md"));
        // Writing to a string cannot fail.
        let _ = match section {
            // Pictures lie beside the section.
            Ok(section) => writeln!(text, "{}", section.replace("](", &format!("]({}/", experiment.name))),
            Err(_) if missing.iter().any(|one| one.name == experiment.name) => {
                writeln!(text, "## {}\n\nNot run: {why}.\n", experiment.title)
            }
            Err(_) => Ok(()),
        };
    }
    files::write(&out.join("README.md"), text)
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
        assert!(text.contains("## Associative retrieval") && text.contains("](art/learning-curves.svg)"), "{text}");
        assert!(redraw(&out.path().join("none"), &chosen).is_err());
    }
}
