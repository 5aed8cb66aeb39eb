//! What a run does with an agent's training.

use super::Trainer;
use crate::Result;
use crate::logging::Histogram;
use crate::metrics::Metrics;
use crate::optimizer::FlatLayout;
use crate::rollout::ahead;
use crate::saved::{Progress, SavedTrainer};
use crate::stop::Stop;
use crate::training::{Best, OnHang, Training, parameter_histograms};

impl Training for Trainer {
    fn progress(&self) -> &Progress {
        Self::progress(self)
    }

    fn finished(&self) -> bool {
        self.config().finished(Self::progress(self))
    }

    fn placement(&self) -> Option<String> {
        let device = self.config().training.device;
        let environments = match self.rollouts_here() {
            None => "whole rollouts, too: the environments follow on the CPU".to_string(),
            Some(_) if ahead::applies(self.workers()) => {
                "it is given whole sequences, since what the environments show does not depend on actions".to_string()
            }
            Some(reason) => format!("it goes step by step with the environments on the CPU: {reason}"),
        };
        self.learner().policy().is_accelerated().then(|| format!("the network is on {device}; {environments}"))
    }

    fn counters(&self) -> [(&'static str, u64); 2] {
        let progress = Self::progress(self);
        [("update", progress.update), ("env_steps", progress.env_steps)]
    }

    fn update(&mut self) -> Result<Metrics> {
        Self::update(self)
    }

    fn note_best(&mut self, due: bool) -> Option<Best> {
        Self::note_best(self, due)
    }

    fn layout(&self) -> &FlatLayout {
        self.learner().layout()
    }

    fn save(&mut self) -> Result<SavedTrainer> {
        Self::save(self)
    }

    fn last_good(&self) -> SavedTrainer {
        Self::last_good(self)
    }

    fn restore(&mut self, saved: SavedTrainer) -> Result<()> {
        Self::restore(self, saved)
    }

    fn on_hang(&mut self, on_hang: OnHang) {
        Self::on_hang(self, on_hang);
    }

    fn set_stop(&mut self, stop: &Stop) {
        Self::set_stop(self, stop);
    }

    /// Of every parameter, and of the recurrent state of the first environments.
    fn histograms(&self) -> Vec<(String, Histogram)> {
        let learner = self.learner();
        let mut histograms = parameter_histograms(learner.layout(), learner.values());
        if let Some(worker) = self.workers().first() {
            let layout = learner.policy().cell().state_layout();
            let width = learner.policy().state_len();
            let mut start = 0;
            for field in layout {
                let values: Vec<f32> = worker
                    .state()
                    .chunks_exact(width)
                    .flat_map(|state| &state[start..start + field.len()])
                    .copied()
                    .collect();
                histograms.extend(Histogram::of(&values).map(|h| (format!("state/{}", field.name), h)));
                start += field.len();
            }
        }
        histograms
    }
}
