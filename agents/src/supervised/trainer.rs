//! The training loop's body for supervised tasks: one epoch.

use std::time::Instant;

use candle_core::DType;
use stpn_random::{Purpose, Stream};

use super::config::SupervisedConfig;
use super::data::Sequences;
use super::evaluation::evaluate;
use super::gradient::{gradient, not_finite};
use super::network::Network;
use super::sampling::EnergySampling;
use super::scores::Scores;
use crate::evaluation::energy_mask;
use crate::learner::Learner;
use crate::logging::Histogram;
use crate::metrics::{Metrics, Over};
use crate::optimizer::{Adam, Clock, FlatLayout};
use crate::saved::{Progress, SavedTrainer, Validation};
use crate::stop::Stop;
use crate::training::{Best, Training, parameter_histograms};
use crate::{Result, process};

/// Validation sequences in which energy is measured, and how many of their steps: far below 5 % of an epoch.
const ENERGY_SEQUENCES: usize = 1000;
const ENERGY_STEPS: usize = 300;

/// A network under training on a supervised task, between two epochs.
pub struct SupervisedTrainer {
    config: SupervisedConfig,
    learner: Learner<Network>,
    training: Box<dyn Sequences + Send>,
    validation: Box<dyn Sequences + Send>,
    energy_mask: Option<Vec<f32>>,
    /// Accuracy of the last validation, until it is compared with the best.
    validated: Option<f64>,
    progress: Progress,
    before: Before,
    stop: Stop,
}

/// The state before the epoch that runs or ran last.
struct Before {
    progress: Progress,
    parameters: Vec<f32>,
    adam: Adam,
}

impl SupervisedConfig {
    /// The network before training, on its device.
    ///
    /// # Errors
    /// Fails on an impossible configuration, and if the device does.
    pub fn network(&self) -> Result<Network> {
        let network = Network::new(&self.policy, &self.task.inputs(), self.task.outputs(), self.seed, DType::F32)?;
        network.on(self.training.device, &self.policy)
    }
}

impl SupervisedTrainer {
    /// A new network on the configured task.
    ///
    /// # Errors
    /// Fails on an impossible configuration.
    pub fn new(config: &SupervisedConfig) -> Result<Self> {
        config.check()?;
        let learner = Learner::new(config.network()?, &config.optimizer)?;
        process::warn_of_split_products(learner.network().is_fused());
        let inputs = learner.network().cell().input_size();
        Ok(Self {
            energy_mask: energy_mask(&config.log.energy_skip_inputs, inputs)?,
            training: config.task.training(config.seed, 0),
            validation: config.task.validation(config.seed),
            before: Before {
                progress: Progress::default(),
                parameters: learner.values().to_vec(),
                adam: learner.adam().clone(),
            },
            learner,
            validated: None,
            progress: Progress::default(),
            stop: Stop::default(),
            config: config.clone(),
        })
    }

    /// The run's configuration.
    pub fn config(&self) -> &SupervisedConfig {
        &self.config
    }

    /// The learner.
    pub fn learner(&self) -> &Learner<Network> {
        &self.learner
    }

    /// Goes through the training data once; returns what was answered and the mean norm of the gradient.
    fn epoch(&mut self, update: u64, learning_rate: f64) -> Result<(Scores, f64)> {
        let objective = self.config.task.objective();
        if self.config.task.is_fresh() {
            self.training = self.config.task.training(self.config.seed, update);
        }
        let mut order: Vec<u32> = (0..self.training.len() as u32).collect();
        Stream::new(self.config.seed, Purpose::Minibatches, update).shuffle(&mut order);
        let batches = order.chunks_exact(self.config.task.batch_size());
        let (count, mut norms, mut scores) = (batches.len(), 0.0, Vec::new());
        for indices in batches {
            self.stop.go_on()?;
            let (gradient, part) = gradient(&self.learner, objective, self.training.as_ref(), indices)?;
            if !part.loss.is_finite() {
                return Err(not_finite(update));
            }
            norms += self.learner.step(gradient, learning_rate, update)?;
            scores.push(part);
        }
        self.learner.synchronize()?;
        Ok((scores.into_iter().sum(), norms / count as f64))
    }

    /// Whatever the run's length: a run that is continued for longer equals one that was meant to be.
    fn validation_due(&self, update: u64) -> bool {
        update.is_multiple_of(self.config.task.validate_every())
    }

    fn validate(&self) -> Result<Scores> {
        let energy = EnergySampling {
            sequences: ENERGY_SEQUENCES,
            every: self.validation.steps().div_ceil(ENERGY_STEPS),
            input_mask: self.energy_mask.as_deref(),
        };
        evaluate(self.learner.network(), &self.config.task, self.validation.as_ref(), energy, &self.stop)
    }

    fn saved(progress: &Progress, parameters: &[f32], adam: &Adam) -> SavedTrainer {
        SavedTrainer {
            progress: progress.clone(),
            parameters: parameters.to_vec(),
            adam: adam.clone(),
            ..SavedTrainer::default()
        }
    }
}

impl Training for SupervisedTrainer {
    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn finished(&self) -> bool {
        self.config.finished(&self.progress)
    }

    fn placement(&self) -> Option<String> {
        let device = self.config.training.device;
        self.learner
            .network()
            .accelerator()
            .map(|_| format!("the network is on {device}, which is given whole batches"))
    }

    fn counters(&self) -> [(&'static str, u64); 2] {
        [("update", self.progress.update), ("epoch", self.progress.update)]
    }

    fn update(&mut self) -> Result<Metrics> {
        self.before.progress.clone_from(&self.progress);
        self.before.parameters.copy_from_slice(self.learner.values());
        self.before.adam.clone_from(self.learner.adam());
        let start = Instant::now();
        let update = self.progress.update + 1;
        let clock = Clock { now: self.progress.update, end: self.config.training.updates };
        let learning_rate = self.config.optimizer.learning_rate.at(clock);
        let (learned, norm) = self.epoch(update, learning_rate)?;
        let trained = start.elapsed().as_secs_f64();

        let mut metrics = Metrics::default();
        metrics.set_over("charts/learning_rate", learning_rate, Over::Last);
        metrics.set("charts/training_accuracy", learned.accuracy());
        metrics.set("losses/training_loss", learned.mean_loss());
        metrics.set("losses/grad_norm", norm);
        if self.validation_due(update) {
            let scores = self.validate()?;
            self.validated = Some(scores.accuracy());
            metrics.set_over("charts/validation_accuracy", scores.accuracy(), Over::Event);
            metrics.set_over("losses/validation_loss", scores.mean_loss(), Over::Event);
            if let Some(energy) = scores.energy_per_step() {
                metrics.set_over("charts/energy", energy, Over::Event);
            }
        }
        metrics.set_over("charts/sequences_per_second", self.training.len() as f64 / trained, Over::Mean(trained));
        metrics.set("time/learn_seconds", trained);
        metrics.set("time/validation_seconds", start.elapsed().as_secs_f64() - trained);
        self.progress.update = update;
        Ok(metrics)
    }

    fn note_best(&mut self, _due: bool) -> Option<Best> {
        let best = self.progress.best_validation;
        let accuracy = self.validated.take().filter(|&it| best.is_none_or(|best| it > best.accuracy))?;
        self.progress.best_validation = Some(Validation { accuracy, update: self.progress.update });
        Some(Best::Present)
    }

    fn layout(&self) -> &FlatLayout {
        self.learner.layout()
    }

    fn save(&mut self) -> Result<SavedTrainer> {
        Ok(Self::saved(&self.progress, self.learner.values(), self.learner.adam()))
    }

    fn last_good(&self) -> SavedTrainer {
        let Before { progress, parameters, adam } = &self.before;
        Self::saved(progress, parameters, adam)
    }

    fn restore(&mut self, saved: SavedTrainer) -> Result<()> {
        self.learner.restore(saved.parameters, saved.adam)?;
        self.progress = saved.progress;
        Ok(())
    }

    fn set_stop(&mut self, stop: &Stop) {
        self.stop = stop.clone();
    }

    fn histograms(&self) -> Vec<(String, Histogram)> {
        parameter_histograms(self.layout(), self.learner.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;

    fn config(text: &str) -> SupervisedConfig {
        match RunConfig::from_table(text.parse().unwrap()).unwrap() {
            RunConfig::Supervised(config) => config,
            RunConfig::Agent(_) => panic!("has a task"),
        }
    }

    const ART: &str = "task = { name = 'art', training_sequences = 2000, validation_sequences = 300 }
        policy = { hidden = 11, cell = { name = 'stpn' } }
        optimizer = { learning_rate = 1e-2 }";
    const FAMILIARITY: &str = "task = { name = 'familiarity', dimension = 20, steps = 400, validate_every = 2 }
        policy = { hidden = 12, cell = { name = 'hebbff' } }
        optimizer = { learning_rate = 1e-2 }";

    #[test]
    fn the_loss_falls() {
        for (text, epochs, share) in [(ART, 6, 0.8), (FAMILIARITY, 40, 0.9)] {
            let mut trainer = SupervisedTrainer::new(&config(text)).unwrap();
            let losses: Vec<f64> =
                (0..epochs).map(|_| trainer.update().unwrap().get("losses/training_loss").unwrap()).collect();
            let last = losses.iter().rev().take(3).sum::<f64>() / 3.0;
            assert!(last < share * losses[0], "{losses:?}");
        }
    }

    #[test]
    fn a_restored_training_continues_bit_for_bit() {
        for text in [ART, FAMILIARITY] {
            let mut whole = SupervisedTrainer::new(&config(text)).unwrap();
            let mut parts = SupervisedTrainer::new(&config(text)).unwrap();
            for epoch in 0..4 {
                whole.update().unwrap();
                whole.note_best(false);
                if epoch < 3 {
                    parts.update().unwrap();
                    parts.note_best(false);
                    let saved = parts.save().unwrap();
                    parts = SupervisedTrainer::new(&config(text)).unwrap();
                    parts.restore(saved).unwrap();
                }
            }
            assert_eq!(whole.last_good(), parts.save().unwrap(), "the state before the last epoch");
            parts.update().unwrap();
            parts.note_best(false);
            assert_eq!(whole.save().unwrap(), parts.save().unwrap());
        }
    }

    #[test]
    fn patience_ends_a_training_that_does_not_get_better() {
        let text = ART.replace("'art'", "'art', patience = 2").replace("1e-2", "1e-12");
        let mut trainer = SupervisedTrainer::new(&config(&text)).unwrap();
        let mut epochs = 0;
        while !trainer.finished() {
            trainer.update().unwrap();
            assert_eq!(trainer.note_best(false).is_some(), epochs == 0, "nothing is learned");
            epochs += 1;
        }
        assert_eq!(epochs, 3, "one epoch and two of patience");
    }
}
