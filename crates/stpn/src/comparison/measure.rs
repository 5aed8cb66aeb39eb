//! What the runs of a comparison are measured by: their own test, or `stpn eval`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stpn_agents::RunConfig;
use stpn_agents::config::ComputeDevice;

use super::PlannedRun;
use super::children::children;
use crate::program::words;
use crate::{Error, Override, Result, files, program};

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// The cell.
    pub cell: String,
    /// The seed.
    pub seed: u64,
    /// Its directory, relative to the comparison's.
    pub directory: String,
    /// The result: accuracy on the test data, or mean return of the evaluation's episodes.
    pub result: f64,
    /// The energy in the same measurement.
    pub energy: Option<f64>,
    /// Updates done.
    pub updates: u64,
    /// A loss, a gradient or a parameter stopped being finite: the run ended there, and counts with what it had
    /// learned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub diverged: bool,
    /// Seconds spent in updates.
    pub seconds: f64,
    /// The learning curve, as `curves.csv` holds it.
    #[serde(skip)]
    pub curve: Vec<CurvePoint>,
}

/// A place on a learning curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Updates done.
    pub update: u64,
    /// Environment steps, 0 if there are none.
    pub env_steps: u64,
    /// Validation accuracy, or mean return over the last 50 updates.
    pub value: f64,
}

/// How a trained agent is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// On so many fresh episodes.
    pub episodes: usize,
    /// Whether it takes its most probable action at every step, or samples.
    pub deterministic: bool,
}

impl Protocol {
    /// Sampled actions.
    pub fn sampled(episodes: usize) -> Self {
        Self { episodes, deterministic: false }
    }

    /// What the result is called.
    pub fn measure(self) -> &'static str {
        if self.deterministic { "mean return, deterministic" } else { "mean return" }
    }

    /// Whether a measurement in a file was made like this; older files do not say how actions were chosen: sampled.
    fn made(self, kept: &serde_json::Value) -> bool {
        kept["episodes"] == self.episodes && kept["deterministic"].as_bool().unwrap_or(false) == self.deterministic
    }
}

/// What a finished run came to.
///
/// # Errors
/// Fails, naming the file, if one of the run is missing or damaged, or if its evaluation fails.
pub fn result(run: &PlannedRun, protocol: Protocol) -> Result<RunResult> {
    let (measured, keys, curve_name): (serde_json::Value, _, _) = match &run.config {
        RunConfig::Supervised(_) => {
            let path = run.directory.join("test.json");
            (files::read_json(&path)?, ("accuracy", "energy_per_step"), "charts/validation_accuracy")
        }
        RunConfig::Agent(_) => {
            let keys = ("mean_return", "energy_per_unit_step");
            (evaluation(run, protocol)?, keys, "charts/episodic_return_recent")
        }
    };
    let problem = || format!("its result has no `{}`", keys.0);
    let value = measured[keys.0].as_f64().ok_or_else(|| Error::Process { run: run.title(), problem: problem() })?;

    let path = run.directory.join("metrics.jsonl");
    let Log { curve, seconds, updates } = Log::read(&path, &files::read(&path)?, curve_name)?;
    Ok(RunResult {
        cell: run.cell.to_string(),
        seed: run.seed,
        directory: run.name(),
        result: value,
        energy: measured[keys.1].as_f64(),
        updates,
        diverged: false,
        seconds,
        curve,
    })
}

/// What the log of a run says of it.
struct Log {
    curve: Vec<CurvePoint>,
    /// Seconds of all updates.
    seconds: f64,
    updates: u64,
}

impl Log {
    /// From the lines of `metrics.jsonl`. An entry stands for all updates since the one before: a log may have been
    /// thinned.
    fn read(path: &Path, text: &str, curve_name: &str) -> Result<Self> {
        let mut log = Self { curve: Vec::new(), seconds: 0.0, updates: 0 };
        for line in text.lines() {
            let entry: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).map_err(|error| Error::damaged(path, format!("is damaged: {error}")))?;
            let number = |key: &str| entry.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
            let update = number("update");
            if let Some(value) = entry.get(curve_name).and_then(serde_json::Value::as_f64) {
                log.curve.push(CurvePoint { update, env_steps: number("env_steps"), value });
            }
            let parts = ["time/rollout_seconds", "time/learn_seconds", "time/validation_seconds"];
            let of_update: f64 = parts.iter().filter_map(|key| entry.get(*key)?.as_f64()).sum();
            log.seconds += update.saturating_sub(log.updates) as f64 * of_update;
            log.updates = update;
        }
        Ok(log)
    }
}

/// Measures a run on a supervised task that diverged, by its best state in validation, and writes what its end would
/// have written.
///
/// # Errors
/// Fails if the measurement does.
pub fn test_diverged(run: &PlannedRun) -> Result<()> {
    if run.config.agent().is_err() {
        let device = device_argument(run);
        let measured = eval(run, &device.iter().map(String::as_str).collect::<Vec<_>>(), &[])?;
        files::write(&run.directory.join("test.json"), files::json(&measured)?)?;
    }
    Ok(())
}

/// The device that trained a run, as an argument of `stpn eval`; none on the CPU.
fn device_argument(run: &PlannedRun) -> Option<String> {
    let device = Some(run.config.training().device).filter(|device| *device != ComputeDevice::Cpu);
    device.map(|device| format!("--device={device}"))
}

/// What `stpn eval --json` says of a run, kept in its `evaluation.json`.
fn evaluation(run: &PlannedRun, protocol: Protocol) -> Result<serde_json::Value> {
    kept_evaluation(run, protocol, "evaluation.json", &[])
}

/// Mean return of a run's agent in its environment with a key changed; what was measured is kept in the file of that
/// name.
///
/// # Errors
/// Fails if the evaluation does.
pub fn mean_return_with(run: &PlannedRun, episodes: usize, change: &Override, name: &str) -> Result<f64> {
    let measured = kept_evaluation(run, Protocol::sampled(episodes), name, std::slice::from_ref(change))?;
    let problem = || Error::Process { run: run.title(), problem: "its result has no `mean_return`".into() };
    measured["mean_return"].as_f64().ok_or_else(problem)
}

fn kept_evaluation(
    run: &PlannedRun,
    protocol: Protocol,
    name: &str,
    changes: &[Override],
) -> Result<serde_json::Value> {
    let path = run.directory.join(name);
    let updates = run.config.training().updates;
    if let Ok(text) = fs::read_to_string(&path) {
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if protocol.made(&kept) && kept["update"] == updates {
            return Ok(kept);
        }
    }
    let episodes = protocol.episodes.to_string();
    let deterministic = protocol.deterministic.then_some("--deterministic");
    let device = device_argument(run);
    let arguments: Vec<&str> =
        ["--episodes", &episodes].into_iter().chain(deterministic).chain(device.as_deref()).collect();
    let mut measured = eval(run, &arguments, changes)?;
    measured["update"] = updates.into();
    measured["deterministic"] = protocol.deterministic.into();
    files::write(&path, files::json(&measured)?)?;
    Ok(measured)
}

/// Returns of the random policy and of the oracle in a run's environment.
///
/// # Errors
/// Fails if the evaluation does.
pub fn bounds(run: &PlannedRun, episodes: usize) -> Result<[Option<f64>; 2]> {
    bounds_with(run, episodes, &[])
}

/// [`bounds`] in a run's environment with some keys changed.
///
/// # Errors
/// Fails if the evaluation does.
pub fn bounds_with(run: &PlannedRun, episodes: usize, changes: &[Override]) -> Result<[Option<f64>; 2]> {
    let measured = eval(run, &["--random", "--episodes", &episodes.to_string()], changes)?;
    Ok([measured["mean_return"].as_f64(), measured["oracle_return"].as_f64()])
}

/// What `stpn eval --json` says of a run, in its environment with some keys changed.
fn eval(run: &PlannedRun, arguments: &[&str], changes: &[Override]) -> Result<serde_json::Value> {
    let mut command = program::again()?;
    command.arg("eval").arg(&run.directory).arg("--json").args(arguments);
    command.args(words::leave(&run.config)).args(words::changes(changes));
    let output = children()?.output(&mut command)?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr).trim().to_string();
        return Err(Error::Process { run: run.title(), problem });
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Process { run: run.title(), problem: format!("its evaluation: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_a_thinned_log_was_said_to_be_shorter() {
        let line = |update: u64| {
            let times = "\"time/rollout_seconds\": 0.5, \"time/learn_seconds\": 1.5";
            format!("{{\"update\": {update}, \"updates\": 1, {times}, \"return\": {update}.5}}\n")
        };
        let read = |updates: &[u64]| {
            let text: String = updates.iter().map(|&update| line(update)).collect();
            Log::read(Path::new("metrics.jsonl"), &text, "return").unwrap()
        };
        for updates in [&(1..=12).collect::<Vec<u64>>()[..], &[4, 8, 12], &[5, 9, 10, 11, 12]] {
            let log = read(updates);
            assert_eq!((log.seconds, log.updates, log.curve.len()), (24.0, 12, updates.len()));
        }
    }
}
