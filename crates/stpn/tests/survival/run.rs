//! A run of milliseconds, in a process of its own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn arguments(line: &str, run: &Path) -> Vec<String> {
    line.replace("RUN", &run.display().to_string()).split(' ').map(String::from).collect()
}

/// Four mazes, five steps and a checkpoint per update: most of the time goes into writing.
pub const TRAIN: &str = "train maze-small --seed 3 --hidden 3 --run-dir RUN --set env.size=5 --set rollout.environments=4 \
                     --set rollout.steps=5 --set checkpoint.every=1 --set checkpoint.keep=2 \
                     --set log.histograms_every=3";

pub fn start(line: &str, run: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
    command.args(arguments(line, run)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The newest checkpoint's update, whole or not; none if there is none.
pub fn newest(run: &Path) -> Option<u64> {
    let names = fs::read_dir(run.join("checkpoints")).ok()?;
    names.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("update-")?.parse().ok()).max()
}
