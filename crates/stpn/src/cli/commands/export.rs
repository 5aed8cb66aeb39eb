//! `stpn export`.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use stpn_agents::checkpoint;

use crate::Error;
use crate::cli::ExportArguments;
use crate::program::words::shown;

/// What is passed on beside the checkpoint: how the agent came to be.
const FILES: [&str; 2] = ["config.toml", "metrics.jsonl"];
/// What was changed while it came to be; only of some runs.
const CHANGES: &str = "changes.jsonl";

/// Runs the command.
pub fn run(arguments: &ExportArguments) -> Result<ExitCode> {
    // What training goes on from is the newest one, also of a supervised task.
    let whole = arguments.resumable && !arguments.best && arguments.run.join("checkpoints").is_dir();
    let found = match (arguments.best, whole) {
        (true, _) => Some(checkpoint::best_of_run(&arguments.run)?),
        (false, true) => None,
        (false, false) => Some(checkpoint::find(&arguments.run)?),
    };
    // Before anything is written: half an agent is none.
    if let Some(name) = FILES.iter().find(|name| !arguments.run.join(name).exists()) {
        let problem = "is missing: name the folder of the run, not that of one of its checkpoints";
        return Err(Error::Unfit(format!("{}: {problem}", arguments.run.join(name).display())).into());
    }
    let checkpoints = arguments.out.join("checkpoints");
    let (found, path) = match found {
        None => checkpoint::copy_run(&arguments.run, &checkpoints)?,
        Some(found) => {
            let export = if arguments.resumable { checkpoint::copy } else { checkpoint::export };
            let path = export(&found, &checkpoints)?;
            (found, path)
        }
    };
    let changes = arguments.run.join(CHANGES).exists().then_some(CHANGES);
    for name in FILES.into_iter().chain(changes) {
        let (from, to) = (arguments.run.join(name), arguments.out.join(name));
        fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    println!("exported      {} as {}", found.path.display(), path.display());
    println!("evaluate with: stpn eval {}", shown(&arguments.out));
    if arguments.resumable {
        println!("resume with:   stpn resume {}", shown(&arguments.out));
    }
    Ok(ExitCode::SUCCESS)
}
