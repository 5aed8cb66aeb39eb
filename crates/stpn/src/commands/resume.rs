//! `stpn resume`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::RunConfig;
use stpn_agents::run::{Run, saved_config};

use super::train::train;
use crate::cli::ResumeArguments;
use crate::ranks;

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => saved_config(&arguments.run)?.training().threads,
    };
    let ranks = ranks::join()?;
    let result = super::thread_pool(threads)?.install(|| {
        let change = |config: &mut RunConfig| {
            config.training_mut().threads = threads;
            if let Some(updates) = arguments.updates {
                config.training_mut().updates = updates;
            }
        };
        let (run, damaged) = Run::resume_on_ranks(&arguments.run, change, &ranks)?;
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
        if run.training().finished() {
            eprintln!("nothing left to do: give more with --updates N");
        }
        if run.reseeded() {
            let ranks = ranks.size();
            eprintln!("this run is now on {ranks} rank(s), another number than before: its environments begin anew");
        }
        train(run, ranks.as_ref())
    });
    ranks::end(ranks.as_ref(), result)
}
