//! Progress of a training: a line that renews itself on a terminal, plain lines elsewhere. Always on stderr.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use stpn_agents::{Metrics, RunConfig, Training};

use crate::baselines::Baselines;
use crate::report::axis::number;
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
    baselines: Option<Baselines>,
}

impl Display {
    /// A display of a run of which `done` updates are done.
    pub fn new(config: &RunConfig, done: u64) -> Self {
        let updates = config.training().updates;
        let unit = if config.agent().is_ok() { "update" } else { "epoch" };
        // What does not fit the line is cut from the message.
        let style = ProgressStyle::with_template("{bar:8} {pos}/{len}, {eta} left  {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = terminal::draws(&std::io::stderr()).then(|| {
            let bar = ProgressBar::new(updates).with_style(style).with_position(done);
            bar.reset_eta();
            bar
        });
        let baselines = config.agent().ok().and_then(Baselines::quickly);
        Self { bar, unit, updates, first_update: done, started: Instant::now(), printed: None, baselines }
    }

    /// Shows the state after an update.
    pub fn update(&mut self, training: &dyn Training, metrics: &Metrics) {
        let progress = training.progress();
        let message = self.message(training, metrics, self.baselines);
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
            let line =
                |message: &str| format!("{} {}/{}  {message}  {left:#} left", self.unit, progress.update, self.updates);
            let bare = || line(&self.message(training, metrics, None));
            say::note(Some(line(&message)).filter(|line| fits(line)).unwrap_or_else(bare));
        }
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.clone() {
            say::draw(move || bar.abandon());
        }
    }

    /// The returns of the random policy and the oracle, if they are known.
    pub fn baselines(&self) -> Option<Baselines> {
        self.baselines
    }

    /// How well it goes and how fast.
    fn message(&self, training: &dyn Training, metrics: &Metrics, baselines: Option<Baselines>) -> String {
        if let Some(rate) = metrics.get("charts/SPS") {
            return returns(training.progress().recent_return(), baselines, rate);
        }
        let rate = thousands(metrics.get("charts/sequences_per_second").unwrap_or(0.0) as u64);
        let accuracy = match training.progress().best_validation {
            Some(best) => format!("validation accuracy {:.4} at best", best.accuracy),
            None => format!("training accuracy {:.4}", metrics.get("charts/training_accuracy").unwrap_or(0.0)),
        };
        format!("{accuracy}  {rate} sequences/s")
    }
}

/// Whether a line fits a terminal of the usual width.
fn fits(line: &str) -> bool {
    line.chars().count() <= 80
}

/// The mean return beside its baselines, and environment steps per second (SPS).
fn returns(mean: Option<f64>, baselines: Option<Baselines>, rate: f64) -> String {
    let mean = mean.map_or("-".to_string(), |mean| format!("{mean:.2}"));
    let baselines = baselines.map_or(String::new(), |baselines| format!(" ({})", baselines.text()));
    format!("return {mean}{baselines}  {} SPS", number(rate.round()))
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
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn progress_was_wider_than_a_terminal() {
        let references = Some(Baselines { random: 8.04, oracle: Some(210.7) });
        let message = returns(Some(98.125), references, 12_345.6);
        assert_eq!(message, "return 98.12 (random 8.04, oracle 211)  12.3k SPS");
        // A bar of eight, counts, the time left.
        let line = format!("{} {}/{}, {} left  {message}", "█".repeat(8), 1200, 2000, "59m");
        assert!(fits(&line), "{line}");
        // A plain line of a long run: without references it fits.
        let plain =
            |references| format!("update 123456/999999  {}  59m left", returns(Some(-1234.567), references, 123_456.0));
        assert!(!fits(&plain(Some(Baselines { random: -1234.5, oracle: Some(-1234.5) }))));
        assert!(fits(&plain(None)), "{}", plain(None));
        assert_eq!(returns(None, None, 9.4), "return -  9 SPS");
    }
}
