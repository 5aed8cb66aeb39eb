//! `stpn resume`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::run::{Run, saved_config};

use super::train::train;
use crate::cli::ResumeArguments;

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => saved_config(&arguments.run)?.training().threads,
    };
    super::thread_pool(threads)?.install(|| {
        let (run, damaged) = Run::resume(&arguments.run, |config| {
            config.training_mut().threads = threads;
            if let Some(updates) = arguments.updates {
                config.training_mut().updates = updates;
            }
        })?;
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
        train(run)
    })
}
