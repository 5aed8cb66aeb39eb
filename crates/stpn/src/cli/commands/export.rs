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

/// Runs the command.
pub fn run(arguments: &ExportArguments) -> Result<ExitCode> {
    let found =
        if arguments.best { checkpoint::best_of_run(&arguments.run)? } else { checkpoint::find(&arguments.run)? };
    // Before anything is written: half an agent is none.
    if let Some(name) = FILES.iter().find(|name| !arguments.run.join(name).exists()) {
        let problem = "is missing: name the folder of the run, not that of one of its checkpoints";
        return Err(Error::Unfit(format!("{}: {problem}", arguments.run.join(name).display())).into());
    }
    let path = checkpoint::export(&found, &arguments.out.join("checkpoints"))?;
    for name in FILES {
        let (from, to) = (arguments.run.join(name), arguments.out.join(name));
        fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    println!("exported      {} as {}", found.path.display(), path.display());
    println!("evaluate with: stpn eval {}", shown(&arguments.out));
    Ok(ExitCode::SUCCESS)
}
