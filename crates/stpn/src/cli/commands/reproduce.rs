//! `stpn reproduce`.

use std::process::ExitCode;

use anyhow::Result;

use super::watching::Watching;
use crate::cli::ReproduceArguments;
use crate::comparison::children::children;
use crate::comparison::jobs::Jobs;
use crate::reproduction::{self, Experiment, Reproduction, Wanted};
use crate::{cell, ranks, say};

/// Episodes on which a trained agent is measured unless a number is given.
const EPISODES: usize = 512;

/// Runs the command.
pub fn run(arguments: &ReproduceArguments) -> Result<ExitCode> {
    ranks::refuse_several()?;
    children()?;
    let chosen = Experiment::chosen(arguments.what, arguments.only.as_deref())?;
    if arguments.redraw {
        for results in reproduction::redraw(&arguments.out, &chosen)? {
            say::result(results.display().to_string());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let available = chosen.iter().filter(|experiment| experiment.is_available()).count();
    let length = match (arguments.updates, arguments.budget) {
        (Some(updates), _) => Wanted::Updates(updates),
        (None, Some(minutes)) => Wanted::Minutes(minutes / available.max(1) as f64),
        (None, None) => Wanted::Published,
    };
    let reproduction = Reproduction {
        cells: cell::parse_all(&arguments.cells)?,
        overrides: arguments.overrides.clone(),
        seeds: arguments.how.seeds,
        length,
        episodes: arguments.how.episodes.unwrap_or(EPISODES),
        jobs: Jobs::new(arguments.how.jobs, arguments.how.threads)?,
        runs: arguments.runs.clone(),
        out: arguments.out.clone(),
    };
    let _lock = super::lock(&arguments.runs)?;
    reproduction.run(&chosen, &Watching::default())?;
    say::result(format!("\nwritten to {}", arguments.out.display()));
    Ok(ExitCode::SUCCESS)
}
