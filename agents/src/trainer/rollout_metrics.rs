//! What a rollout says by itself.

use super::Trainer;
use crate::metrics::{Metrics, Over};
use crate::saved::{Ended, RECENT_UPDATES};

impl Trainer {
    /// What the rollout says by itself, over all ranks.
    pub(super) fn rollout_metrics(&self) -> Metrics {
        let own: Vec<[f64; 5]> = self
            .workers
            .iter()
            .map(|worker| {
                let fragment = worker.fragment();
                let returns = fragment.episodes.iter().map(|e| e.total_reward).sum();
                let lengths = fragment.episodes.iter().map(|e| e.length as f64).sum();
                let (energy, samples) = fragment.energy;
                [fragment.episodes.len() as f64, returns, lengths, energy, samples as f64]
            })
            .collect();
        let mut sums = [0.0; 5];
        for row in self.exchange.rows(&own, &self.exchange.owners(own.len())) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let [episodes, returns, lengths, energy, samples] = sums;
        let mut metrics = Metrics::default();
        if episodes > 0.0 {
            metrics.set_over("charts/episodic_return", returns / episodes, Over::Mean(episodes));
            metrics.set_over("charts/episodic_length", lengths / episodes, Over::Mean(episodes));
        }
        metrics.set_over("charts/episodes", episodes, Over::Sum);
        if samples > 0.0 {
            metrics.set_over("charts/energy", energy / samples, Over::Mean(samples));
        }
        metrics
    }

    /// Moves the counters on.
    pub(super) fn count(&mut self, metrics: &mut Metrics) {
        let steps = self.steps_per_update();
        let progress = &mut self.progress;
        progress.update += 1;
        progress.env_steps += steps;
        let episodes = metrics.get("charts/episodes").unwrap_or(0.0);
        let returns = metrics.get("charts/episodic_return").unwrap_or(0.0) * episodes;
        progress.episodes += episodes as u64;
        progress.recent.push_back(Ended { episodes: episodes as u64, returns });
        if progress.recent.len() > RECENT_UPDATES {
            progress.recent.pop_front();
        }
        if let Some(recent) = progress.recent_return() {
            metrics.set_over("charts/episodic_return_recent", recent, Over::Last);
        }
    }
}
