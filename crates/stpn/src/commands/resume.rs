//! `stpn resume`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use stpn_agents::collective::Collective;
use stpn_agents::run::{Run, saved_config};
use stpn_agents::{RunConfig, Stop};

use super::train::train;
use crate::cli::ResumeArguments;
use crate::{ranks, say, shutdown, threads};

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => saved_config(&arguments.run)?.training().threads,
    };
    let ranks = ranks::join()?;
    let stop = shutdown::stop_training(&arguments.ending, ranks.as_ref())?;
    let change = |config: &mut RunConfig| {
        config.training_mut().threads = threads;
        if let Some(updates) = arguments.updates {
            config.training_mut().updates = updates;
        }
    };
    let pool = threads::pool_on_ranks(threads, ranks.as_ref())?;
    let result = pool.install(|| resume(&arguments.run, change, &ranks, &stop));
    ranks::end(ranks.as_ref(), result)
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
    let (done, updates) = (run.training().progress().update, run.config().training().updates);
    let from = if done == 0 { " (it has no checkpoint of an update yet)" } else { "" };
    say::note(format!("resuming {} at update {done} of {updates}{from}", directory.display()));
    if run.training().finished() {
        say::note("nothing left to do: give more with --updates N");
    }
    if run.reseeded() {
        let ranks = ranks.size();
        say::note(format!(
            "this run is now on {ranks} rank(s), another number than before: its environments begin anew"
        ));
    }
    train(run, ranks.as_ref(), stop)
}
