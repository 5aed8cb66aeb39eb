//! Progress of a training: a bar on a terminal, plain lines elsewhere. Always on stderr.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use stpn_agents::{Metrics, RunConfig, Training};

use crate::{say, terminal};

/// Seconds between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far a training is.
pub struct Display {
    bar: Option<ProgressBar>,
    /// What an update is called.
    unit: &'static str,
    updates: u64,
    first_update: u64,
    started: Instant,
    printed: Option<Instant>,
}

impl Display {
    /// A display of a run of which `done` updates are done.
    pub fn new(config: &RunConfig, done: u64) -> Self {
        let updates = config.training().updates;
        let unit = if config.agent().is_ok() { "update" } else { "epoch" };
        let style = ProgressStyle::with_template(&format!("{{bar:32}} {{pos}}/{{len}} {unit}s  {{msg}}  {{eta}} left"))
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = terminal::draws(&std::io::stderr()).then(|| {
            let bar = ProgressBar::new(updates).with_style(style).with_position(done);
            bar.reset_eta();
            bar
        });
        Self { bar, unit, updates, first_update: done, started: Instant::now(), printed: None }
    }

    /// Shows the state after an update.
    pub fn update(&mut self, training: &dyn Training, metrics: &Metrics) {
        let progress = training.progress();
        let message = message(training, metrics);
        if let Some(bar) = &self.bar {
            let (bar, update) = (bar.clone(), progress.update);
            say::draw(move || {
                bar.set_message(message);
                bar.set_position(update);
            });
            return;
        }
        let last = training.finished();
        if last || self.printed.is_none_or(|printed| printed.elapsed() >= LINE_EVERY) {
            self.printed = Some(Instant::now());
            let done = (progress.update - self.first_update).max(1) as f64;
            let left = self.started.elapsed().as_secs_f64() / done * (self.updates - progress.update) as f64;
            let left = HumanDuration(Duration::from_secs_f64(left));
            say::note(format!("{} {}/{}  {message}  {left} left", self.unit, progress.update, self.updates));
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.clone() {
            say::draw(move || bar.abandon());
        }
    }
}

/// How well it goes and how fast.
fn message(training: &dyn Training, metrics: &Metrics) -> String {
    if let Some(rate) = metrics.get("charts/SPS") {
        let mean = training.progress().recent_return().map_or("-".to_string(), |mean| format!("{mean:.2}"));
        return format!("return {mean}  {} steps/s", thousands(rate as u64));
    }
    let rate = thousands(metrics.get("charts/sequences_per_second").unwrap_or(0.0) as u64);
    let accuracy = match training.progress().best_validation {
        Some(best) => format!("validation accuracy {:.4} at best", best.accuracy),
        None => format!("training accuracy {:.4}", metrics.get("charts/training_accuracy").unwrap_or(0.0)),
    };
    format!("{accuracy}  {rate} sequences/s")
}

/// 1234567 → "1,234,567".
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(super::thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
