//! A comparison as it is seen on stderr.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::comparison::Observer;
use crate::{say, terminal};

/// A bar for all runs and a line for each that runs; plain lines where there is no terminal.
#[derive(Default)]
pub struct Watching {
    bars: Mutex<Option<Bars>>,
}

struct Bars {
    several: MultiProgress,
    all: ProgressBar,
    runs: Vec<(String, ProgressBar)>,
}

impl Watching {
    /// Does that with the bars, if there are any.
    fn bars(&self, change: impl FnOnce(&mut Bars)) -> bool {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        bars.as_mut().map(change).is_some()
    }
}

impl Observer for Watching {
    fn note(&self, line: &str) {
        say::note(line);
    }

    fn result(&self, table: &str) {
        say::result(table);
    }

    fn begin(&self, runs: usize, done: usize) {
        let made = terminal::draws(&std::io::stderr()).then(|| {
            let several = MultiProgress::new();
            let style = ProgressStyle::with_template("{bar:32} {pos}/{len} runs  {elapsed}");
            let bar = ProgressBar::new(runs as u64).with_position(done as u64);
            let all = several.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
            all.enable_steady_tick(Duration::from_secs(1));
            Bars { several, all, runs: Vec::new() }
        });
        *self.bars.lock().unwrap_or_else(PoisonError::into_inner) = made;
    }

    fn run_begins(&self, run: &str) {
        self.bars(|bars| {
            let style = ProgressStyle::with_template("  {prefix:32} {wide_msg}");
            let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bars.runs.push((run.to_string(), bars.several.add(bar.with_prefix(run.to_string()))));
        });
    }

    fn run_says(&self, run: &str, line: &str) {
        let shown = self.bars(|bars| {
            if let Some((_, bar)) = bars.runs.iter().find(|(name, _)| name == run) {
                bar.set_message(line.to_string());
            }
        });
        if !shown {
            say::note(format!("[{run}] {line}"));
        }
    }

    fn run_ends(&self, run: &str, success: bool) {
        self.bars(|bars| {
            for (_, bar) in bars.runs.extract_if(.., |(name, _)| name == run) {
                bar.finish_and_clear();
                bars.several.remove(&bar);
                bars.all.inc(u64::from(success));
            }
        });
    }

    fn end(&self) {
        self.bars(|bars| bars.all.abandon());
    }
}
