//! `stpn resume`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use stpn_agents::collective::Collective;
use stpn_agents::run::{Run, changes, saved};
use stpn_agents::{RunConfig, Stop};
use toml::Table;

use super::training::{end_on_ranks, reached_target, train};
use crate::cli::ResumeArguments;
use crate::cli::exit::UsageError;
use crate::{overrides, presets, ranks, say, shutdown, threads};

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let ranks = ranks::join()?;
    let result = run_on(arguments, &ranks);
    end_on_ranks(ranks.as_ref(), result)
}

/// The command on this rank.
fn run_on(arguments: &ResumeArguments, ranks: &Arc<dyn Collective>) -> Result<ExitCode> {
    let saved = saved(&arguments.run)?;
    if let Some(updates) = arguments.updates.filter(|&updates| updates < saved.update) {
        let (run, done) = (arguments.run.display(), saved.update);
        let less = format!("{run} has done {done} updates, and `--updates` counts them: {updates} are fewer");
        if !arguments.overrides.is_empty() {
            return Err(UsageError(format!("{less}; `--set` needs more updates, or none named")).into());
        }
        if ranks.is_root() {
            say::result(format!("{less}; nothing is changed"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let config = configure(arguments, &saved.config)?;
    let stop = shutdown::stop_training(&arguments.ending, ranks.as_ref())?;
    let pool = threads::pool_on_ranks(config.training().threads, ranks.as_ref())?;
    pool.install(|| resume(&arguments.run, |resumed| *resumed = config, ranks, &stop))
}

/// The configuration with which the run goes on.
fn configure(arguments: &ResumeArguments, saved: &RunConfig) -> Result<RunConfig> {
    let mut config = saved.clone();
    if arguments.updates.is_some() && overrides::sets(&arguments.overrides, "training.updates") {
        let problem = "training.updates is given twice: by --updates and by --set; leave out one of them";
        return Err(UsageError(problem.into()).into());
    }
    if !arguments.overrides.is_empty() {
        let mut table = Table::try_from(saved).context("the run's configuration")?;
        let remarks = overrides::apply_all(&mut table, &arguments.overrides)?;
        let run = arguments.run.join("config.toml").display().to_string();
        let placed = |error| presets::placed(error, &run, &arguments.overrides);
        config = RunConfig::from_table(table).map_err(placed)?;
        overrides::warn(&remarks);
    }
    if let Some(threads) = arguments.threads {
        config.training_mut().threads = threads;
    }
    if let Some(device) = arguments.device {
        config.training_mut().device = device;
    }
    if let Some(updates) = arguments.updates {
        config.training_mut().updates = updates;
    }
    Ok(config)
}

/// Continues the run in `directory`, its configuration changed by `change`.
pub fn resume(
    directory: &Path,
    change: impl FnOnce(&mut RunConfig),
    ranks: &Arc<dyn Collective>,
    stop: &Stop,
) -> Result<ExitCode> {
    let (run, damaged) = Run::resume_on_ranks(directory, change, ranks)?;
    if !ranks.is_root() {
        return train(run, ranks.as_ref(), stop);
    }
    for error in damaged {
        say::note(format!("passed over a damaged checkpoint: {error}"));
    }
    if let Some(owner) = run.killed() {
        say::note(format!("the process that had this run last (pid {} on {}) was killed", owner.pid, owner.host));
    }
    if run.edited().is_some() {
        say::note("`stpn resume RUN --set KEY=VALUE` changes a run");
    }
    let (done, updates) = (run.training().progress().update, run.config().training().updates);
    let from = if done == 0 { " (it has no checkpoint of an update yet)" } else { "" };
    say::note(format!("resuming {} at update {done} of {updates}{from}", directory.display()));
    for change in changes::told(run.changes()) {
        say::note(format!("from here on: {change}"));
    }
    run.training().placement().into_iter().for_each(say::note);
    let schedules = run.config().schedules_of_its_length();
    if !schedules.is_empty() && run.changes().iter().any(|change| change.key == "training.updates") {
        say::note(format!("recomputed for the new end of the run: {}", schedules.join(", ")));
    }
    if run.training().finished() {
        say::note(match reached_target(run.config(), run.training().progress()) {
            Some(target) => format!(
                "nothing left to do: training.target_return = {target} is reached; set a higher one with --set \
                 training.target_return=…, or `none` to go on to the end"
            ),
            None => "nothing left to do: give more with --updates N".to_string(),
        });
    }
    if run.reseeded() {
        let ranks = ranks.size();
        say::note(format!(
            "this run is now on {ranks} rank(s), another number than before: its environments begin anew"
        ));
    }
    train(run, ranks.as_ref(), stop)
}
