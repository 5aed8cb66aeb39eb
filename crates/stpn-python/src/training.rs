//! Training a run, watched from Python.
//!
//! The run trains on threads of its own. The thread that called sleeps without Python's lock and wakes for three
//! things: an update that a callback wants to see, a signal of which Python knows (Ctrl-C), and the end. So callbacks
//! run where the caller is, and Python's handlers of signals as always.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use stpn::agents::run::Outcome;
use stpn::agents::{Metrics, Stop, Training};
use stpn::cells::CellName;
use stpn::{Run, RunConfig, TrainingRequest};

use crate::errors::{StpnError, raised, wrong};
use crate::tables;
use crate::threads;

/// How long an update may go on after Ctrl-C before it is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The configuration of a preset or a file, with what is changed in it, as `stpn train` has them: as JSON.
#[pyfunction]
#[pyo3(signature = (experiment, overrides, *, algo=None, cell=None, hidden=None, seed=None,
                    updates=None, steps=None, threads=None))]
#[expect(clippy::too_many_arguments, reason = "the options of the command line")]
pub fn configure(
    experiment: String,
    overrides: Vec<String>,
    algo: Option<String>,
    cell: Option<&str>,
    hidden: Option<usize>,
    seed: Option<u64>,
    updates: Option<u64>,
    steps: Option<u64>,
    threads: Option<usize>,
) -> PyResult<String> {
    let overrides = overrides.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    let overrides = overrides.map_err(|error: stpn::Error| wrong(format!("{error:#}")))?;
    let cell = cell.map(str::parse::<CellName>).transpose().map_err(|error| wrong(error.to_string()))?;
    let asked = TrainingRequest {
        experiment,
        overrides,
        algorithm: algo,
        cell,
        hidden,
        seed,
        updates,
        steps,
        threads,
        ..TrainingRequest::default()
    };
    let config = asked.configure(1).map_err(|error| wrong(format!("{error:#}")))?;
    tables::json(&config)
}

/// A configuration, checked and completed.
#[pyfunction]
pub fn check(config: &str) -> PyResult<String> {
    tables::json(&read(config)?)
}

fn read(config: &str) -> PyResult<RunConfig> {
    RunConfig::from_table(tables::table(config)?).map_err(raised)
}

/// What the training says to the thread that watches it.
enum Said {
    /// An update is done; the training waits for an answer.
    Update { update: u64, env_steps: u64, episodes: u64, metrics: Metrics },
    /// The end.
    End(stpn::agents::Result<End>),
}

/// How a training ended.
struct End {
    finished: bool,
    update: u64,
    env_steps: u64,
    mean_return: Option<f64>,
}

/// Trains a new run of `config` in `directory`; without a `config`, resumes the run there, up to `updates` updates in all
/// if given. `callback(update, env_steps, episodes, metrics)` is called after each update and ends the training if it
/// raises, or returns anything false except None. Returns whether the run is finished, its updates, steps and mean
/// return.
#[pyfunction]
#[pyo3(signature = (directory, config, updates, callback))]
pub fn train(
    py: Python<'_>,
    directory: PathBuf,
    config: Option<&str>,
    updates: Option<u64>,
    callback: Option<Py<PyAny>>,
) -> PyResult<(bool, u64, u64, Option<f64>)> {
    let config = config.map(read).transpose()?;
    let asked = match &config {
        Some(config) => config.training().threads,
        None => stpn::agents::run::saved_config(&directory).map_err(raised)?.training().threads,
    };
    let pool = threads::pool_of(asked)?;
    let (stop, watched) = (Stop::default(), callback.is_some());
    let (speaker, ears) = channel();
    let (answers, answered) = channel();
    let ours = stop.clone();
    let work = move || {
        let watch = watched.then(|| (speaker.clone(), answered));
        let end = pool.install(move || train_on(config, directory, updates, &ours, watch));
        // Nobody hears it if the watching thread is gone.
        let _ = speaker.send(Said::End(end));
    };
    let training = std::thread::Builder::new().name("stpn-training".into()).spawn(work);
    training.map_err(|error| StpnError::new_err(format!("cannot start a thread: {error}")))?;
    watch(py, ears, &answers, &stop, callback.as_ref())
}

/// Waits for the end of a training.
fn watch(
    py: Python<'_>,
    mut ears: Receiver<Said>,
    answers: &Sender<bool>,
    stop: &Stop,
    callback: Option<&Py<PyAny>>,
) -> PyResult<(bool, u64, u64, Option<f64>)> {
    let mut failure: Option<(PyErr, Instant)> = None;
    loop {
        match threads::heard(py, &mut ears) {
            Ok(Said::Update { update, env_steps, episodes, metrics }) => {
                let go_on = match callback {
                    Some(callback) if failure.is_none() => shown(py, callback, (update, env_steps, episodes), &metrics),
                    _ => Ok(false),
                };
                let go_on = go_on.unwrap_or_else(|error| {
                    failure = Some((error, Instant::now()));
                    false
                });
                // The training waits for it, unless it has ended.
                let _ = answers.send(go_on);
            }
            Ok(Said::End(end)) => {
                return match failure {
                    Some((failure, _)) => Err(failure),
                    None => end.map(|end| (end.finished, end.update, end.env_steps, end.mean_return)).map_err(raised),
                };
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(match failure {
                    Some((failure, _)) => failure,
                    None => StpnError::new_err("the training ended in a panic, which stderr shows"),
                });
            }
        }
        match (py.check_signals(), &failure) {
            (Err(signal), None) => {
                stop.ask();
                failure = Some((signal, Instant::now()));
            }
            // Once more: somebody is in a hurry.
            (Err(_), Some(_)) => stop.abandon(),
            (Ok(()), Some((_, since))) if since.elapsed() >= GRACE => stop.abandon(),
            _ => {}
        }
    }
}

/// Calls the callback; whether the training goes on.
fn shown(
    py: Python<'_>,
    callback: &Py<PyAny>,
    (update, env_steps, episodes): (u64, u64, u64),
    metrics: &Metrics,
) -> PyResult<bool> {
    let dict = PyDict::new(py);
    for (name, value) in metrics.iter() {
        dict.set_item(name, value)?;
    }
    let answer = callback.call1(py, (update, env_steps, episodes, dict))?;
    Ok(answer.is_none(py) || answer.bind(py).is_truthy()?)
}

/// The training itself.
fn train_on(
    config: Option<RunConfig>,
    directory: PathBuf,
    updates: Option<u64>,
    stop: &Stop,
    watch: Option<(Sender<Said>, Receiver<bool>)>,
) -> stpn::agents::Result<End> {
    let mut run = match config {
        Some(config) => Run::start(&config, &directory, "stpn.train")?,
        None => {
            let change = |config: &mut RunConfig| {
                if let Some(updates) = updates {
                    config.training_mut().updates = updates;
                }
            };
            Run::resume(&directory, change)?.0
        }
    };
    run.stop_by(stop);
    let outcome = run.train(|training, metrics| {
        let Some((speaker, answers)) = &watch else { return ControlFlow::Continue(()) };
        match speaker.send(said(training, metrics)).ok().and_then(|()| answers.recv().ok()) {
            Some(true) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    let progress = run.training().progress();
    Ok(End {
        finished: outcome == Outcome::Finished,
        update: progress.update,
        env_steps: progress.env_steps,
        mean_return: progress.recent_return(),
    })
}

fn said(training: &dyn Training, metrics: &Metrics) -> Said {
    let progress = training.progress();
    let (update, env_steps, episodes) = (progress.update, progress.env_steps, progress.episodes);
    Said::Update { update, env_steps, episodes, metrics: metrics.clone() }
}
