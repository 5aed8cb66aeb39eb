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
use stpn::agents::config::catalogue::{Entry, catalogue};
use stpn::agents::config::normal::VARIANTS;
use stpn::agents::config::shape::Shape;
use stpn::agents::run::{Outcome, saved_config};
use stpn::agents::{Metrics, Stop, Training};
use stpn::cells::CellName;
#[cfg(unix)]
use stpn::envs::gymnasium::StatesTrusted;
use stpn::{Override, Run, RunConfig, TrainingRequest};

use crate::environment::trust_code_of;
use crate::errors::{StpnError, raised, wrong};
use crate::tables;
use crate::threads;

/// How long an update may go on after Ctrl-C before it is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The configuration of a preset or a file, with what is changed in it, as `stpn train` has them: as JSON. `changes` is
/// a JSON list of dotted keys with their values.
#[pyfunction]
#[pyo3(signature = (experiment, changes, *, algo=None, cell=None, hidden=None, seed=None,
                    updates=None, steps=None, threads=None))]
#[expect(clippy::too_many_arguments, reason = "the options of the command line")]
pub fn configure(
    experiment: String,
    changes: &str,
    algo: Option<String>,
    cell: Option<&str>,
    hidden: Option<usize>,
    seed: Option<u64>,
    updates: Option<u64>,
    steps: Option<u64>,
    threads: Option<usize>,
) -> PyResult<String> {
    let overrides = overrides(changes)?;
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

/// The same of a configuration of the caller's own, as JSON without null.
#[pyfunction]
#[pyo3(signature = (table, changes, *, seed=None, updates=None, threads=None))]
pub fn configure_table(
    table: &str,
    changes: &str,
    seed: Option<u64>,
    updates: Option<u64>,
    threads: Option<usize>,
) -> PyResult<String> {
    let overrides = overrides(changes)?;
    let asked = TrainingRequest { overrides, seed, updates, threads, ..TrainingRequest::default() };
    let config = asked.configure_table(tables::table(table)?).map_err(|error| wrong(format!("{error:#}")))?;
    tables::json(&config)
}

/// The dotted names of the sections of a configuration: tables whose keys are set one by one. A schedule is none,
/// though it has keys: it is one value.
#[pyfunction]
pub fn sections() -> Vec<String> {
    let of_keys = |shape: &Shape| matches!(shape, Shape::Section(_) | Shape::Variants(_));
    let is_section = |entry: &Entry| match &entry.key.shape {
        Shape::Either(shapes) => VARIANTS.contains(&entry.path.as_str()) && shapes.iter().any(of_keys),
        shape => of_keys(shape),
    };
    catalogue().into_iter().filter(is_section).map(|entry| entry.path).collect()
}

/// The changes in a JSON list of dotted keys with their values; null is none.
fn overrides(changes: &str) -> PyResult<Vec<Override>> {
    let changes: Vec<(String, serde_json::Value)> =
        serde_json::from_str(changes).map_err(|error| wrong(format!("changes: {error}")))?;
    let known = catalogue();
    let of = |(key, value): (String, serde_json::Value)| {
        let change = if value.is_null() {
            // Where there is nothing to be taken away, nobody would notice.
            if !known.iter().any(|entry| entry.path == key) {
                return Err(wrong(format!("{key}: there is no such key that could be None")));
            }
            Override::none(&key)
        } else {
            let value = toml::Value::try_from(value).map_err(|error| wrong(format!("{key}: {error}")))?;
            Override::new(&key, value)
        };
        change.map_err(|error| wrong(format!("{error:#}")))
    };
    changes.into_iter().map(of).collect()
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
/// return. A `config` is the caller's own, and the code that it names is run; that of a run which is resumed, and what
/// is pickled in it, only if `trust_env_code` says so.
#[pyfunction]
#[pyo3(signature = (directory, config, updates, callback, trust_env_code))]
pub fn train(
    py: Python<'_>,
    directory: PathBuf,
    config: Option<&str>,
    updates: Option<u64>,
    callback: Option<Py<PyAny>>,
    trust_env_code: bool,
) -> PyResult<(bool, u64, u64, Option<f64>)> {
    let config = config.map(read).transpose()?;
    let (new, trusted) = (config.is_some(), config.is_some() || trust_env_code);
    let named = config.clone().map_or_else(|| saved_config(&directory), Ok).map_err(raised)?;
    if let (RunConfig::Agent(named), true) = (&named, trusted) {
        trust_code_of(&named.env);
    }
    let pool = threads::pool_of(named.training().threads)?;
    let (stop, watched) = (Stop::default(), callback.is_some());
    let (speaker, ears) = channel();
    let (answers, answered) = channel();
    let ours = stop.clone();
    let work = move || {
        // A new run has no saved states.
        #[cfg(unix)]
        let _states = (trust_env_code && !new).then(StatesTrusted::new);
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
