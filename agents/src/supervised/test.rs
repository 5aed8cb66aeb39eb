//! The result of a run on a supervised task: the test data, seen by no training.

use rayon::prelude::*;
use serde::Serialize;

use super::config::{SupervisedConfig, TaskConfig};
use super::data::Split;
use super::evaluation::evaluate;
use super::sampling::EnergySampling;
use super::scores::Scores;
use crate::Result;
use crate::checkpoint::Checkpoint;
use crate::evaluation::energy_mask;
use crate::learner::Trainable;
use crate::metrics::Metrics;
use crate::optimizer::FlatLayout;
use crate::stop::Stop;

/// What a checkpoint gives on test data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    /// The update after which the checkpoint was written.
    pub update: u64,
    /// Test sequences.
    pub sequences: usize,
    /// The result.
    #[serde(flatten)]
    pub scores: TestScores,
    /// Familiarity: the result at other intervals than the trained one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub generalization: Vec<Generalization>,
}

/// The result on one test set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestScores {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean loss of an answer, in nats.
    pub loss: f64,
    /// Mean energy of a step, summed over units.
    pub energy_per_step: Option<f64>,
    /// Familiarity: share of the repeats that were recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub true_positive_rate: Option<f64>,
    /// Familiarity: share of the new vectors that were taken for repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_positive_rate: Option<f64>,
}

/// The result at one interval of familiarity detection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generalization {
    /// The interval R of the test data.
    pub interval: usize,
    /// The result.
    #[serde(flatten)]
    pub scores: TestScores,
}

impl TestScores {
    fn new(scores: &Scores, binary: bool) -> Self {
        Self {
            accuracy: scores.accuracy(),
            loss: scores.mean_loss(),
            energy_per_step: scores.energy_per_step(),
            true_positive_rate: binary.then(|| scores.true_positive_rate()),
            false_positive_rate: binary.then(|| scores.false_positive_rate()),
        }
    }

    /// As metrics, named `prefix/…`.
    pub fn metrics(&self, prefix: &str) -> Metrics {
        let mut metrics = Metrics::default();
        let entries = [
            ("accuracy", Some(self.accuracy)),
            ("loss", Some(self.loss)),
            ("energy", self.energy_per_step),
            ("true_positive_rate", self.true_positive_rate),
            ("false_positive_rate", self.false_positive_rate),
        ];
        for (name, value) in entries {
            if let Some(value) = value {
                metrics.set(&format!("{prefix}/{name}"), value);
            }
        }
        metrics
    }
}

/// Measures a checkpoint on the test data of its configuration; `seed` makes others in place of the run's own.
///
/// # Errors
/// Fails if the checkpoint does not fit its configuration, and with [`Error::Stopped`](crate::Error::Stopped) where
/// `stop` says so.
pub fn test(config: &SupervisedConfig, checkpoint: &Checkpoint, seed: Option<u64>, stop: &Stop) -> Result<TestReport> {
    let seed = seed.unwrap_or(config.seed);
    let network = config.network()?;
    let layout = FlatLayout::new(network.parameters());
    layout.assign(&checkpoint.parameters(&layout)?)?;
    let mask = energy_mask(&config.log.energy_skip_inputs, network.cell().input_size())?;
    let energy = EnergySampling { input_mask: mask.as_deref(), ..EnergySampling::full() };
    let (task, data) = (&config.task, config.task.test(seed));
    let scores = evaluate(&network, task, data.as_ref(), energy, stop)?;
    let (binary, generalization) = match task {
        TaskConfig::Art(_) => (false, Vec::new()),
        TaskConfig::Familiarity(of_task) => {
            let at = |&interval: &usize| {
                let data = of_task.sequence(seed, Split::Test, interval as u64, interval);
                let scores = TestScores::new(&evaluate(&network, task, &data, energy, stop)?, true);
                Ok(Generalization { interval, scores })
            };
            let intervals = &of_task.test_intervals;
            let all: Result<_> = match network.accelerator() {
                None => intervals.par_iter().map(at).collect(),
                // A device has the memory of one at a time.
                Some(_) => intervals.iter().map(at).collect(),
            };
            (true, all?)
        }
    };
    Ok(TestReport {
        update: checkpoint.progress.update,
        sequences: data.len(),
        scores: TestScores::new(&scores, binary),
        generalization,
    })
}
