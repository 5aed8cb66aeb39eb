//! Run directories as a report sees them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use stpn_agents::{Agent, RunConfig};
use stpn_agents::checkpoint::{self, Checkpoint};
use stpn_agents::learner::Trainable;
use stpn_agents::optimizer::FlatLayout;

/// Metrics that tell how well a run does, the first that a run has counts, with how a chart names them.
const RESULTS: [(&str, &str); 4] = [
    ("charts/episodic_return", "mean return per episode"),
    ("charts/validation_accuracy", "validation accuracy"),
    ("charts/accuracy", "accuracy"),
    ("losses/total_loss", "loss"),
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
    pub seed: u64,
    /// The resolved configuration.
    pub config: String,
    /// The objects of `metrics.jsonl`, in order.
    pub lines: Vec<Map<String, Value>>,
    /// The newest sound checkpoint.
    pub checkpoint: Checkpoint,
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
    /// Reads the run in `directory`.
    ///
    /// # Errors
    /// Fails, naming the file, where there is no sound checkpoint or the metrics cannot be read.
    pub fn read(directory: &Path) -> Result<Self> {
        let (checkpoint, _) = checkpoint::newest(&directory.join("checkpoints"))?;
        let config = checkpoint.config.to_toml()?;
        let policy = checkpoint.config.policy();
        Ok(Self {
            directory: directory.to_path_buf(),
            experiment: checkpoint.config.experiment().to_string(),
            cell: policy.cell.label().to_string(),
            hidden: policy.hidden,
            seed: *checkpoint.config.seed(),
            lines: read_lines(&directory.join("metrics.jsonl"))?,
            config,
            checkpoint,
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

    /// A metric over the run: x (environment steps or epochs) and value.
    pub fn series(&self, key: &str) -> Vec<(f64, f64)> {
        let x = self.x_key();
        self.lines.iter().filter_map(|line| Some((line.get(x)?.as_f64()?, line.get(key)?.as_f64()?))).collect()
    }

    /// What the x-axis counts.
    pub fn x_label(&self) -> &'static str {
        match self.checkpoint.config {
            RunConfig::Agent(_) => "environment steps",
            RunConfig::Supervised(_) => "epochs",
        }
    }

    /// The trained parameters.
    ///
    /// # Errors
    /// Fails where they do not fit the configuration.
    pub fn parameters(&self) -> Result<Vec<Parameter>> {
        let layout = match &self.checkpoint.config {
            RunConfig::Agent(_) => FlatLayout::new(Agent::of_checkpoint(&self.checkpoint)?.policy().parameters()),
            RunConfig::Supervised(config) => FlatLayout::new(config.network()?.parameters()),
        };
        let values = self.checkpoint.parameters(&layout)?;
        let entries = layout.entries();
        let parameter = |(name, shape, range): (&str, &[usize], std::ops::Range<usize>)| Parameter {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: values[range].to_vec(),
        };
        Ok(entries.map(parameter).collect())
    }

    fn x_key(&self) -> &'static str {
        match self.checkpoint.config {
            RunConfig::Agent(_) => "env_steps",
            RunConfig::Supervised(_) => "update",
        }
    }

    /// Mean of a metric's last `count` values.
    pub fn last(&self, key: &str, count: usize) -> Option<f64> {
        let series = self.series(key);
        let last = &series[series.len().saturating_sub(count)..];
        (!last.is_empty()).then(|| last.iter().map(|(_, value)| value).sum::<f64>() / last.len() as f64)
    }
}

fn read_lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // A running training may be in the middle of its last line.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .enumerate()
        .map(|(i, line)| serde_json::from_str(line).with_context(|| format!("{} line {}", path.display(), i + 1)))
        .collect()
}
