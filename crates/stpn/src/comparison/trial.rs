//! A short training that measures how long an update takes.

use std::fs;

use super::children::children;
use crate::program::words;
use crate::{Error, Override, Result, TrainingRequest, files, program};

/// Updates of a trial that measures how long one takes; the first is not counted, for it warms up.
const TRIAL_UPDATES: u64 = 3;

/// Seconds of an update of this training, on so many threads.
///
/// # Errors
/// [`Error::Process`] if the trial fails.
pub(crate) fn seconds_per_update(request: &TrainingRequest, threads: usize) -> Result<f64> {
    let directory = std::env::temp_dir().join(format!("stpn-trial-{}", std::process::id()));
    // Every update is logged, whatever the experiment says: the first and the last are looked at.
    let overrides = [&request.overrides[..], &[Override::new("log.every", 1)?]].concat();
    let request =
        TrainingRequest { updates: Some(TRIAL_UPDATES), threads: Some(threads), overrides, ..request.clone() };
    let failed = |problem: &str| Error::Process { run: "the trial".into(), problem: problem.into() };
    let run = || -> Result<f64> {
        let mut command = program::again()?;
        command.args(words::train(&request)).arg("--run-dir").arg(&directory).arg("--with-parent");
        let output = children()?.output(&mut command)?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        let metrics = files::read(&directory.join("metrics.jsonl"))?;
        let elapsed = metrics.lines().filter_map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).ok()?;
            entry["time/elapsed_seconds"].as_f64()
        });
        let elapsed: Vec<f64> = elapsed.collect();
        match elapsed[..] {
            [first, .., last] => Ok((last - first) / (elapsed.len() - 1) as f64),
            _ => Err(failed("it logged less than two updates")),
        }
    };
    let seconds = run();
    // Best effort: it lies among the system's temporary files.
    let _ = fs::remove_dir_all(&directory);
    seconds
}
