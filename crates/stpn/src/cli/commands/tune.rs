//! `stpn tune`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;

use super::watching::Watching;
use crate::cli::TuneArguments;
use crate::comparison::children::children;
use crate::comparison::jobs::Jobs;
use crate::program::words::shown;
use crate::tuning::{Request, Search, Space};
use crate::{ranks, say};

/// Trials that are shown at the end.
const SHOWN: usize = 10;

/// Runs the command.
pub fn run(arguments: &TuneArguments) -> Result<ExitCode> {
    ranks::refuse_several()?;
    let request = Request {
        experiment: arguments.experiment.clone(),
        cell: arguments.cell.clone(),
        overrides: arguments.overrides.clone(),
        updates: arguments.updates,
        trials: arguments.trials,
        minutes: arguments.minutes,
        seed: arguments.seed,
        seeds: arguments.seeds,
        episodes: arguments.episodes,
        space: arguments.space.as_deref().map(Space::read).transpose()?,
    };
    if arguments.show_space {
        let space = match &request.space {
            Some(space) => space.clone(),
            None => Space::of(&request.whole(&BTreeMap::new())?)?,
        };
        say::print(space.to_toml()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    children()?;
    let jobs = Jobs::new(arguments.jobs, arguments.threads)?;
    let directory = match &arguments.out {
        Some(directory) => directory.clone(),
        None => super::default_directory("tune", &arguments.experiment),
    };
    let observer = Watching::default();
    let _lock = super::lock(&directory)?;
    let mut search = Search::new(request, &directory, jobs, &observer)?;
    search.run(&observer)?;
    say::result(search.found().text(SHOWN));
    let [trials, best] = ["search.md", "best.toml"].map(|name| directory.join(name));
    say::result(format!("all trials: {}; the best one's configuration: {}", trials.display(), best.display()));
    say::result(format!("train it with a seed that it was not chosen by: stpn train {} --seed 1", shown(&best)));
    Ok(ExitCode::SUCCESS)
}
