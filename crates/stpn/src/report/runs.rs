//! Run directories as a report sees them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use stpn_agents::checkpoint::{self, Checkpoint};
use stpn_agents::config::normal::normal;
use stpn_agents::learner::Trainable;
use stpn_agents::optimizer::FlatLayout;
use stpn_agents::policy::PolicyConfig;
use stpn_agents::{Agent, RunConfig};
use toml::Table;

use crate::comparison::statistics::{ANY, NOT_NEGATIVE, SHARE};
use crate::settings::Settings;
use crate::{Error, Result, files};

/// Mean return of the episodes that ended in an update.
const RETURN: &str = "charts/episodic_return";

/// Mean energy of an update.
pub const ENERGY: &str = "charts/energy";

/// Metrics that tell how well a run does, the first that a run has counts, with how a chart names them.
const RESULTS: [(&str, &str); 4] = [
    (RETURN, "mean return (reward per episode)"),
    ("charts/validation_accuracy", "validation accuracy (share)"),
    ("charts/accuracy", "accuracy (share)"),
    ("losses/total_loss", "total loss (no unit)"),
];

/// A run directory, read whole.
pub struct RunData {
    /// Where it is.
    pub directory: PathBuf,
    /// Environment or task.
    pub experiment: String,
    /// Short name of the cell.
    pub cell: String,
    /// Units of the recurrent layer.
    pub hidden: usize,
    /// Seed of the run.
    pub seed: i64,
    /// What sets it apart from runs of other experiments.
    pub settings: Settings,
    /// The resolved configuration.
    pub table: Table,
    /// The same as this program takes it; none if it cannot, for lack of the environment.
    pub config: Option<RunConfig>,
    /// The objects of `metrics.jsonl`, in order.
    pub lines: Vec<Map<String, Value>>,
    /// The newest sound checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Why there is none, or it is not the newest one.
    pub problem: Option<Problem>,
}

/// Why a run is not drawn in full.
pub struct Problem {
    /// In words.
    pub text: String,
    /// The error behind it, if there is one.
    pub error: Option<Error>,
}

impl Problem {
    fn of(error: stpn_agents::Error) -> Self {
        Self { text: error.to_string(), error: Some(error.into()) }
    }
}

/// A trained parameter.
pub struct Parameter {
    /// Its name, e.g. `cell.lambda`.
    pub name: String,
    /// Its shape; empty or `[1]` for a scalar.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl RunData {
    /// Reads the run in `directory`: its metrics, and its newest checkpoint if that can be used.
    ///
    /// # Errors
    /// Fails, naming the file, if there is no run or its metrics cannot be read.
    pub fn read(directory: &Path) -> Result<Self> {
        let (checkpoints, config) = (directory.join("checkpoints"), directory.join("config.toml"));
        let (checkpoint, problem) = match checkpoint::newest(&checkpoints) {
            Ok((checkpoint, damaged)) => (Some(checkpoint), damaged.into_iter().next().map(Problem::of)),
            Err(_) if !checkpoints.is_dir() => {
                (None, Some(Problem { text: "it has no checkpoint".into(), error: None }))
            }
            Err(error) => (None, Some(Problem::of(error))),
        };
        let text = match &checkpoint {
            Some(checkpoint) => checkpoint.config.to_toml()?,
            None if config.is_file() || checkpoints.is_dir() => files::read(&config)?,
            None => return Err(stpn_agents::Error::NoRun { path: directory.to_path_buf() }.into()),
        };
        let table = text.parse().map_err(|error| Error::damaged(&config, format!("is damaged: {error}")))?;
        let lines = read_lines(&directory.join("metrics.jsonl"))?;
        let of_metrics = Self::of_metrics(&directory.display().to_string(), table, lines)?;
        Ok(Self { directory: directory.to_path_buf(), checkpoint, problem, ..of_metrics })
    }

    /// A run of which there are metrics and configuration; `name` is for messages.
    ///
    /// # Errors
    /// Fails if the configuration says neither what was learned nor by what network.
    pub fn of_metrics(name: &str, mut table: Table, lines: Vec<Map<String, Value>>) -> Result<Self> {
        normal(&mut table);
        let damaged = |problem: &dyn Display| Error::damaged(&Path::new(name).join("config.toml"), problem);
        let config = RunConfig::from_table(table.clone());
        let (config, problem) = match config {
            Ok(config) => (Some(config), None),
            Err(error) => (None, Some(Problem::of(error))),
        };
        // With every default, which an older program may have left out.
        let resolved = config.as_ref().map(|config| config.to_toml()).transpose()?;
        let table =
            resolved.map_or(Ok(table), |text| text.parse()).map_err(|error: toml::de::Error| damaged(&error))?;
        let text = |section: &str| Some(table.get(section)?.get("name")?.as_str()?.to_string());
        let named = config.as_ref().map(|config| config.experiment().to_string());
        let experiment = named.or_else(|| text("env")).or_else(|| text("task"));
        let experiment = experiment.ok_or_else(|| damaged(&"names no environment and no task"))?;
        let policy = table.get("policy").cloned().ok_or_else(|| damaged(&"has no `policy`"))?;
        let policy = PolicyConfig::deserialize(policy).map_err(|error| damaged(&format!("policy: {error}")))?;
        Ok(Self {
            directory: PathBuf::from(name),
            experiment,
            cell: policy.cell.label().to_string(),
            hidden: policy.hidden,
            seed: table.get("seed").and_then(toml::Value::as_integer).unwrap_or(1),
            settings: Settings::of(&table),
            table,
            config,
            lines,
            checkpoint: None,
            problem,
        })
    }

    /// The directory's own name.
    pub fn name(&self) -> String {
        self.directory.file_name().map_or_else(|| ".".into(), |name| name.to_string_lossy().into_owned())
    }

    /// The metric that tells how well this run does, and how a chart names it.
    pub fn result(&self) -> (&'static str, &'static str) {
        let has = |key: &str| self.lines.iter().any(|line| line.contains_key(key));
        RESULTS.into_iter().find(|(key, _)| has(key)).unwrap_or(RESULTS[0])
    }

    /// Between which values a metric can lie at all.
    pub fn possible(&self, key: &str) -> RangeInclusive<f64> {
        match (key, &self.config) {
            (ENERGY, _) => NOT_NEGATIVE,
            (RETURN, Some(RunConfig::Agent(config))) => config.env.return_bounds(),
            (key, _) if key.ends_with("accuracy") => SHARE,
            _ => ANY,
        }
    }

    /// A metric over the run: x (environment steps or epochs) and value.
    pub fn series(&self, key: &str) -> Vec<(f64, f64)> {
        let x = self.x_key();
        self.lines.iter().filter_map(|line| Some((line.get(x)?.as_f64()?, line.get(key)?.as_f64()?))).collect()
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.lines.last().and_then(|line| line.get("update")?.as_u64()).unwrap_or(0)
    }

    /// What the x-axis counts.
    pub fn x_label(&self) -> &'static str {
        if self.is_supervised() { "epochs" } else { "environment steps" }
    }

    /// What an axis of energies says.
    pub fn energy_label(&self) -> &'static str {
        if self.is_supervised() {
            "energy Σ|G|z² (per step, summed over units)"
        } else {
            "energy Σ|G|z² (per unit and step)"
        }
    }

    /// The trained parameters; none without a checkpoint.
    ///
    /// # Errors
    /// Fails if they do not fit the configuration.
    pub fn parameters(&self) -> Result<Vec<Parameter>> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(Vec::new()) };
        let layout = match &checkpoint.config {
            RunConfig::Agent(_) => FlatLayout::new(Agent::of_checkpoint(checkpoint)?.policy().parameters()),
            RunConfig::Supervised(config) => FlatLayout::new(config.network()?.parameters()),
        };
        let values = checkpoint.parameters(&layout)?;
        let entries = layout.entries();
        let parameter = |(name, shape, range): (&str, &[usize], std::ops::Range<usize>)| Parameter {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: values[range].to_vec(),
        };
        Ok(entries.map(parameter).collect())
    }

    fn is_supervised(&self) -> bool {
        self.table.contains_key("task")
    }

    fn x_key(&self) -> &'static str {
        if self.is_supervised() { "update" } else { "env_steps" }
    }

    /// Mean of a metric over the last `updates` updates up to the place `end` on the x-axis: over their episodes,
    /// where it is one of episodes. Where none of them has it, its last value.
    pub fn last(&self, key: &str, updates: u64, end: f64) -> Option<f64> {
        let number = |line: &Map<String, Value>, key: &str| line.get(key).and_then(Value::as_f64);
        let before_end = |line: &&Map<String, Value>| number(line, self.x_key()).is_some_and(|x| x <= end);
        let lines: Vec<_> = self.lines.iter().filter(before_end).collect();
        let first = number(lines.last()?, "update")? - updates as f64;
        let (mut sum, mut weights) = (0.0, 0.0);
        for line in lines.iter().filter(|line| number(line, "update").is_some_and(|update| update > first)) {
            let counted = if key.starts_with("charts/episodic_") { "charts/episodes" } else { "updates" };
            // A measurement by itself is of no updates.
            let weight = number(line, counted).filter(|&weight| weight > 0.0).unwrap_or(1.0);
            if let Some(value) = number(line, key) {
                (sum, weights) = (sum + weight * value, weights + weight);
            }
        }
        let last = || lines.iter().rev().find_map(|line| number(line, key));
        if weights > 0.0 { Some(sum / weights) } else { last() }
    }
}

fn read_lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = files::read(path)?;
    // A running training may be in the middle of its last line.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|error| Error::damaged(path, format!("line {}: {error}", i + 1)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fifty_updates_were_fifty_logged_values() {
        let config = "[env]\nname = 'cartpole'\n[policy]\nhidden = 5\n[policy.cell]\nkind = 'rnn'";
        // Ten updates an entry; of the last entries one has a single episode.
        let line = |entry: u64| {
            let (update, episodes) = (10 * entry, if entry == 20 { 1 } else { 9 });
            let (mean, loss) = (if entry == 20 { 100.0 } else { entry as f64 }, entry as f64);
            let line = serde_json::json!({
                "update": update, "updates": 10, "env_steps": 100 * update, "charts/episodes": episodes,
                "charts/episodic_return": mean, "losses/total_loss": loss,
            });
            line.as_object().unwrap().clone()
        };
        let lines = (1..=20).map(line).collect();
        let run = RunData::of_metrics("run", config.parse().unwrap(), lines).unwrap();
        let expected = (9.0 * (16.0 + 17.0 + 18.0 + 19.0) + 100.0) / 37.0;
        assert!((run.last("charts/episodic_return", 50, f64::INFINITY).unwrap() - expected).abs() < 1e-9);
        assert_eq!(run.last("losses/total_loss", 50, f64::INFINITY), Some(18.0));
        assert_eq!(run.last("losses/total_loss", 50, 10_000.0), Some(8.0), "up to a place");
        assert_eq!(run.last("charts/energy", 50, f64::INFINITY), None);
    }
}
