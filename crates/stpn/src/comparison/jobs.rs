//! Training the runs of a comparison in child processes of this program.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::children::{Children, children};
use super::{Observer, PlannedRun, RunState};
use crate::cli::exit;
use crate::program::words;
use crate::{Error, Result, program, threads};

/// Exit code of a child that ended as asked.
const INTERRUPTED: i32 = exit::INTERRUPTED as i32;

/// Exit code of a child that diverged.
const NOT_FINITE: i32 = exit::NOT_FINITE as i32;
const REFUSED: i32 = exit::REFUSED as i32;

/// Lines of a failed child that are repeated.
const LAST_LINES: usize = 5;

/// How many runs at a time, on how many threads each.
#[derive(Clone, Copy, Debug)]
pub struct Jobs {
    /// Runs at a time.
    pub jobs: usize,
    /// Threads of each.
    pub threads: usize,
}

impl Jobs {
    /// `jobs` runs at a time on `threads` threads together; 0 = all cores.
    ///
    /// # Errors
    /// [`Error::Excess`] for more of them than this machine can use.
    pub fn new(jobs: usize, threads: usize) -> Result<Self> {
        let jobs = jobs.max(1);
        threads::check("threads", threads)?;
        threads::check("runs at a time", jobs)?;
        let threads = if threads == 0 { threads::cores() } else { threads };
        Ok(Self { jobs, threads: (threads / jobs).max(1) })
    }
}

/// A run that failed.
#[derive(Debug)]
pub struct Failure {
    /// The run.
    pub run: PlannedRun,
    /// What it said.
    pub error: Error,
    /// A loss, a gradient or a parameter stopped being finite. It would happen again, so this is a result and no fault of the
    /// machine.
    pub diverged: bool,
    /// The configuration was refused, which would happen again too.
    pub refused: bool,
}

/// Trains what is not finished, in processes of this program, and tells `observer` how it goes. From the first call on,
/// signals that ask this process to end are passed on to those.
///
/// # Errors
/// [`Error::Interrupted`] if an end was asked for; every child has then written a checkpoint.
/// Fails if a run does.
pub fn train(runs: &[PlannedRun], jobs: Jobs, observer: &dyn Observer) -> Result<()> {
    let failures = train_all(runs, jobs, observer)?;
    failures.first().map_or(Ok(()), |first| Err(several(failures.len(), runs.len(), first)))
}

/// [`train`] where runs may diverge: returns which did, in the order of `runs`.
///
/// # Errors
/// As [`train`], but for runs that diverge.
pub fn train_or_diverge(runs: &[PlannedRun], jobs: Jobs, observer: &dyn Observer) -> Result<Vec<Failure>> {
    let failures = train_all(runs, jobs, observer)?;
    match failures.iter().find(|failure| !failure.diverged) {
        Some(other) => Err(several(failures.len(), runs.len(), other)),
        None => Ok(failures),
    }
}

/// [`train`] where runs may fail in a way that is their settings' own: they diverge, or are refused. Returns which did.
///
/// # Errors
/// As [`train`], but for those runs.
pub fn train_or_fail_for_good(runs: &[PlannedRun], jobs: Jobs, observer: &dyn Observer) -> Result<Vec<Failure>> {
    let failures = train_all(runs, jobs, observer)?;
    match failures.iter().find(|failure| !(failure.diverged || failure.refused)) {
        Some(other) => Err(several(failures.len(), runs.len(), other)),
        None => Ok(failures),
    }
}

/// The error of some runs.
pub fn several(failed: usize, of: usize, one: &Failure) -> Error {
    let run = format!("{failed} of {of} runs failed; one of them");
    Error::Process { run, problem: one.error.to_string() }
}

fn train_all(runs: &[PlannedRun], jobs: Jobs, observer: &dyn Observer) -> Result<Vec<Failure>> {
    let children = children()?;
    let mut queue = VecDeque::new();
    for (place, run) in runs.iter().enumerate() {
        match run.state()? {
            RunState::Finished => {}
            state => queue.push_back((place, run.clone(), state)),
        }
    }
    let (total, left) = (runs.len(), queue.len());
    let Jobs { jobs: at_a_time, threads } = jobs;
    let done = total - left;
    observer.note(&format!("{total} runs, {done} finished; {at_a_time} at a time, threads each: {threads}"));
    if left == 0 {
        children.go_on()?;
        return Ok(Vec::new());
    }

    observer.begin(total, done);
    let queue = Mutex::new(queue);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_a_time.min(left) {
            scope.spawn(|| {
                while !children.asked() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((place, run, state)) = next else { break };
                    let mut code = None;
                    if let Err(error) = train_one(&run, state, threads, children, observer, &mut code) {
                        let (diverged, refused) = (code == Some(NOT_FINITE), code == Some(REFUSED));
                        let failure = Failure { run, error, diverged, refused };
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push((place, failure));
                    }
                }
            });
        }
    });
    observer.end();
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Pages name them, and are the same whichever run ended first.
    failures.sort_by_key(|&(place, _)| place);
    let failures: Vec<Failure> = failures.into_iter().map(|(_, failure)| failure).collect();
    if failures.iter().all(|failure| failure.diverged) {
        children.go_on()?;
    }
    Ok(failures)
}

/// Trains one run; sets `code` to that with which its process ended.
fn train_one(
    run: &PlannedRun,
    state: RunState,
    threads: usize,
    children: &'static Children,
    observer: &dyn Observer,
    code: &mut Option<i32>,
) -> Result<()> {
    let name = run.title();
    let mut command = program::again()?;
    match state {
        RunState::Interrupted => {
            let updates = run.config.training().updates.to_string();
            command.arg("resume").arg(&run.directory).args(["--updates", &updates]);
            command.args(words::leave(&run.config));
        }
        _ => {
            command.args(words::train(&run.request)).arg("--run-dir").arg(&run.directory);
        }
    }
    command.args(["--with-parent", "--threads", &threads.to_string()]);
    let (mut child, _tie) = children.start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    observer.run_begins(&name);
    let mut last = VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
            observer.run_says(&name, &line);
            last.push_back(line);
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        }
    }
    let status = child.wait().map_err(Error::system("cannot wait for a run"))?;
    observer.run_ends(&name, status.success());
    *code = status.code();
    // One that was asked before it listened is ended by the signal itself, and has done nothing yet.
    let as_asked = matches!(status.code(), None | Some(INTERRUPTED)) && children.asked();
    if !(status.success() || as_asked) {
        return Err(Error::Process { run: name, problem: format!("{status}\n{}", Vec::from(last).join("\n")) });
    }
    Ok(())
}
