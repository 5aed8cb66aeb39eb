//! `stpn resume`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use stpn_agents::RunConfig;
use stpn_agents::collective::Collective;
use stpn_agents::run::{Run, saved};
use toml::Table;

use super::train::train;
use crate::cli::ResumeArguments;
use crate::{overrides, ranks};

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let ranks = ranks::join()?;
    let result = resume(arguments, &ranks);
    ranks::end(ranks.as_ref(), result)
}

/// Continues a run on this rank.
fn resume(arguments: &ResumeArguments, ranks: &Arc<dyn Collective>) -> Result<ExitCode> {
    let saved = saved(&arguments.run)?;
    if let Some(updates) = arguments.updates.filter(|&updates| updates < saved.update) {
        if ranks.is_root() {
            let (run, done) = (arguments.run.display(), saved.update);
            println!("{run} has done {done} updates, and {updates} are less: nothing is changed");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let config = configure(arguments, &saved.config)?;
    super::thread_pool(config.training().threads)?.install(|| {
        let lengthened = config.training().updates != saved.config.training().updates;
        let (run, damaged) = Run::resume_on_ranks(&arguments.run, |resumed| *resumed = config, ranks)?;
        if !ranks.is_root() {
            return train(run, ranks.as_ref());
        }
        for error in damaged {
            eprintln!("passed over a damaged checkpoint: {error}");
        }
        if let Some(owner) = run.killed() {
            eprintln!("the process that had this run last (pid {} on {}) was killed", owner.pid, owner.host);
        }
        let (done, updates) = (run.training().progress().update, run.config().training().updates);
        let from = if done == 0 { " (it has no checkpoint yet)" } else { "" };
        eprintln!("resuming {} at update {done} of {updates}{from}", arguments.run.display());
        for change in run.changes() {
            eprintln!("from here on: {change}");
        }
        let schedules = run.config().schedules_of_its_length();
        if lengthened && !schedules.is_empty() {
            eprintln!("with the run now ends: {}", schedules.join(", "));
        }
        if run.training().finished() {
            eprintln!("nothing left to do: give more with --updates N");
        }
        if run.reseeded() {
            let ranks = ranks.size();
            eprintln!("this run is now on {ranks} rank(s), another number than before: its environments begin anew");
        }
        train(run, ranks.as_ref())
    })
}

/// The configuration with which the run goes on.
fn configure(arguments: &ResumeArguments, saved: &RunConfig) -> Result<RunConfig> {
    let mut config = saved.clone();
    if !arguments.overrides.is_empty() {
        let mut table = Table::try_from(saved).context("the run's configuration")?;
        overrides::apply_all(&mut table, &arguments.overrides)?;
        config = RunConfig::from_table(table)?;
    }
    if let Some(threads) = arguments.threads {
        config.training_mut().threads = threads;
    }
    if let Some(updates) = arguments.updates {
        config.training_mut().updates = updates;
    }
    Ok(config)
}
