//! Running the real binary.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, ExitStatus};

/// What a command left.
pub struct Finished {
    pub status: ExitStatus,
    pub output: String,
    pub error: String,
}

/// Runs `stpn` with these arguments to its end.
pub fn stpn(arguments: &[String]) -> Finished {
    finished(Command::new(env!("CARGO_BIN_EXE_stpn")).args(arguments))
}

/// Runs a command to its end.
pub fn finished(command: &mut Command) -> Finished {
    let finished = command.output().unwrap();
    Finished {
        status: finished.status,
        output: String::from_utf8(finished.stdout).unwrap(),
        error: String::from_utf8(finished.stderr).unwrap(),
    }
}

/// The arguments of `line`, on a network and a batch small enough for a test, writing to `run`.
pub fn small(line: &str, run: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = line.split(' ').map(String::from).collect();
    for setting in ["rollout.environments=12", "policy.hidden=6", "log.histograms_every=2"] {
        arguments.extend(["--set".into(), setting.into()]);
    }
    arguments.extend(["--run-dir".into(), run.display().to_string()]);
    arguments
}

pub use stpn_agents::metrics::depends_on_the_clock;

/// The lines of `metrics.jsonl`, without what depends on the clock.
pub fn metrics(run: &Path) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut object: serde_json::Map<_, _> = serde_json::from_str(line).unwrap();
            object.retain(|key, _| !depends_on_the_clock(key));
            object
        })
        .collect()
}
