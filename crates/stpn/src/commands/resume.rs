//! `stpn resume`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::checkpoint;
use stpn_agents::run::Run;

use super::train::train;
use crate::cli::ResumeArguments;

/// Runs the command.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode> {
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => checkpoint::newest(&arguments.run.join("checkpoints"))?.0.config.training().threads,
    };
    super::thread_pool(threads)?.install(|| {
        let (run, damaged) = Run::resume(&arguments.run, |config| {
            config.training_mut().threads = threads;
            if let Some(updates) = arguments.updates {
                config.training_mut().updates = updates;
            }
        })?;
        for error in damaged {
            tracing::warn!("passed over a damaged checkpoint: {error}");
        }
        let (done, updates) = (run.training().progress().update, run.config().training().updates);
        eprintln!("resuming {} at update {done} of {updates}", arguments.run.display());
        if run.training().finished() {
            eprintln!("nothing left to do: give more with --updates N");
        }
        train(run)
    })
}
