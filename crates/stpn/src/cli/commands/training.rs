//! What `train` and `resume` have in common: training, and saying what came of it.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use stpn_agents::collective::Collective;
use stpn_agents::run::{Outcome, Run};
use stpn_agents::saved::Progress;
use stpn_agents::{RunConfig, Stop};

use crate::cli::exit;
use crate::program::words;
use crate::progress::{Display, thousands};
use crate::{program, say};

/// How long a rank waits to be ended by the one that failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// This rank's result of a command. A rank that fails by itself ends all of them: the others would wait for it.
pub fn end_on_ranks<T>(ranks: &dyn Collective, result: Result<T>) -> Result<T> {
    match &result {
        Err(error) if ranks.size() > 1 => {
            match exit::of_agents(error) {
                // That one says why and ends all of them: if this one was quicker, it would be killed before it could.
                Some(stpn_agents::Error::OtherRank { .. }) => std::thread::sleep(PATIENCE),
                _ => say::note(format!("error on rank {}: {}", ranks.rank(), exit::message(error))),
            }
            say::flush();
            ranks.abort(exit::code(error).into())
        }
        _ => result,
    }
}

/// Trains to the end or until `stop`, and says what came of it.
pub fn train(mut run: Run, ranks: &dyn Collective, stop: &Stop) -> Result<ExitCode> {
    run.stop_by(stop);
    let code = words_for(run.config());
    let hint = format!("continue with: stpn resume {}{code}", words::shown(run.directory()));
    run.on_hang(move |error| {
        let error = error.into();
        let code = exit::code(&error);
        let message = exit::message(&error);
        say::note(format!("\nerror: {message}\nthe environment cannot be stopped, so this process ends; {hint}"));
        say::flush();
        std::process::exit(code.into());
    });
    let mut display = ranks.is_root().then(|| Display::new(run.config(), run.training().progress().update));
    let outcome = run.train(|training, metrics| {
        if let Some(display) = &mut display {
            display.update(training, metrics);
        }
        ControlFlow::Continue(())
    });
    let Some(display) = display else {
        let interrupted = outcome? == Outcome::Interrupted;
        return Ok(if interrupted { ExitCode::from(exit::INTERRUPTED) } else { ExitCode::SUCCESS });
    };
    display.finish();
    let outcome = outcome?;
    let (progress, directory) = (run.training().progress(), words::shown(run.directory()));
    say::result(format!("run           {}\nupdates       {}", run.directory().display(), thousands(progress.update)));
    if progress.env_steps > 0 {
        say::result(format!("env steps     {}", thousands(progress.env_steps)));
    }
    if let Some(mean) = progress.recent_return() {
        let over = match progress.recent.len() {
            1 => "episodes of the last update".to_string(),
            updates => format!("episodes of the last {updates} updates"),
        };
        let beside = display.baselines().map_or(String::new(), |baselines| format!("; {}", baselines.text()));
        say::result(format!("mean return   {mean:.3} ({over}{beside})"));
    }
    if let Some(best) = progress.best_validation {
        say::result(format!("validation    {:.4} at best, after epoch {}", best.accuracy, best.update));
    }
    if let Some(report) = run.test_report() {
        say::result(super::eval::test_text(report).trim_end());
    }
    if outcome == Outcome::Interrupted {
        say::note(format!("interrupted; continue with: stpn resume {directory}{code}"));
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    if let Some(target) = reached_target(run.config(), progress) {
        let planned = thousands(run.config().training().updates);
        say::note(format!("ended before its {planned} updates: it has reached training.target_return = {target}"));
    }
    if program::arguments().iter().any(|word| word == "--with-parent") {
        // The program that compares this run with others says what comes of it.
        return Ok(ExitCode::SUCCESS);
    }
    if run.config().agent().is_ok() {
        say::note(format!("watch it act: stpn play {directory}{code}"));
    }
    say::note(format!(
        "draw it:      stpn report {directory}{code}\nevaluate it:  stpn eval {directory}{code}\nall metrics:  \
         tensorboard --logdir {directory}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// The return that was aimed at, if a run ended early since it was reached.
pub(super) fn reached_target(config: &RunConfig, progress: &Progress) -> Option<f64> {
    let early = progress.update < config.training().updates && config.finished(progress);
    config.training().target_return.filter(|_| early)
}

/// The words that commands on this run need beside its folder: the Python that was named, and the user's own code.
fn words_for(config: &RunConfig) -> String {
    let arguments: Vec<String> = program::arguments().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut words = words::named_code(config);
    for (at, word) in arguments.iter().enumerate() {
        let python = word
            .strip_prefix("--python=")
            .or_else(|| arguments.get(at + 1).filter(|_| word == "--python").map(String::as_str));
        words.extend(python.into_iter().flat_map(|python| ["--python".to_string(), python.to_string()]));
    }
    words.iter().map(|word| format!(" {}", words::quoted(word))).collect()
}
