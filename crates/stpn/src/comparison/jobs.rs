//! Training the runs of a comparison in child processes of this program.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::children::{Children, children};
use super::{PlannedRun, RunState};
use crate::cli::train_words;
use crate::{Error, Result, exit, program, say, terminal, threads};

/// Exit code of a child that ended as asked.
const INTERRUPTED: i32 = exit::INTERRUPTED as i32;

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

/// Trains what is not finished.
///
/// # Errors
/// [`Error::Interrupted`] if an end was asked for; every child has then written a checkpoint.
/// Fails if a run does.
pub fn train(runs: &[PlannedRun], jobs: Jobs) -> Result<()> {
    let children = children()?;
    let mut queue = VecDeque::new();
    for run in runs {
        match run.state()? {
            RunState::Finished => {}
            state => queue.push_back((run.clone(), state)),
        }
    }
    let (total, left) = (runs.len(), queue.len());
    let Jobs { jobs: at_a_time, threads } = jobs;
    say::note(format!("{total} runs, {} finished; {at_a_time} at a time, threads each: {threads}", total - left));
    if left == 0 {
        return children.go_on();
    }

    let display = Display::new(total, total - left);
    let queue = Mutex::new(queue);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_a_time.min(left) {
            scope.spawn(|| {
                while !children.asked() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((run, state)) = next else { break };
                    if let Err(error) = train_one(&run, state, threads, children, &display) {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
                    }
                }
            });
        }
    });
    display.finish();
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(first) = failures.first() {
        let run = format!("{} of {left} runs failed; the first", failures.len());
        return Err(Error::Process { run, problem: first.clone() });
    }
    children.go_on()
}

fn train_one(
    run: &PlannedRun,
    state: RunState,
    threads: usize,
    children: &'static Children,
    display: &Display,
) -> Result<()> {
    let name = run.name();
    let mut command = program::again()?;
    match state {
        RunState::Interrupted => {
            let updates = run.config.training().updates.to_string();
            command.arg("resume").arg(&run.directory).args(["--updates", &updates]);
            command.args(train_words::leave(&run.config));
        }
        _ => {
            command.args(train_words::train(&run.request)).arg("--run-dir").arg(&run.directory);
        }
    }
    command.args(["--with-parent", "--threads", &threads.to_string()]);
    let (mut child, _tie) = children.start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let bar = display.begin(&name);
    let mut last = VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
            display.line(&bar, &name, &line);
            last.push_back(line);
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        }
    }
    let status = child.wait().map_err(Error::system("cannot wait for a run"))?;
    display.end(&bar, status.success());
    // One that was asked before it listened is ended by the signal itself, and has done nothing yet.
    let as_asked = matches!(status.code(), None | Some(INTERRUPTED)) && children.asked();
    if !(status.success() || as_asked) {
        return Err(Error::Process { run: name, problem: format!("{status}\n{}", Vec::from(last).join("\n")) });
    }
    Ok(())
}

/// A bar for all runs and a line for each that runs; plain lines where there is no terminal.
struct Display {
    all: Option<(MultiProgress, ProgressBar)>,
}

impl Display {
    fn new(total: usize, done: usize) -> Self {
        let all = terminal::draws(&std::io::stderr()).then(|| {
            let bars = MultiProgress::new();
            let style = ProgressStyle::with_template("{bar:32} {pos}/{len} runs  {elapsed}");
            let bar = ProgressBar::new(total as u64).with_position(done as u64);
            let bar = bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
            bar.enable_steady_tick(Duration::from_secs(1));
            (bars, bar)
        });
        Self { all }
    }

    fn begin(&self, name: &str) -> Option<ProgressBar> {
        self.all.as_ref().map(|(bars, _)| {
            let style = ProgressStyle::with_template("  {prefix:32} {wide_msg}");
            let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bars.add(bar.with_prefix(name.to_string()))
        })
    }

    fn line(&self, bar: &Option<ProgressBar>, name: &str, line: &str) {
        match bar {
            Some(bar) => bar.set_message(line.to_string()),
            None => say::note(format!("[{name}] {line}")),
        }
    }

    fn end(&self, bar: &Option<ProgressBar>, success: bool) {
        if let (Some((bars, all)), Some(bar)) = (&self.all, bar) {
            bar.finish_and_clear();
            bars.remove(bar);
            all.inc(u64::from(success));
        }
    }

    fn finish(&self) {
        if let Some((_, bar)) = &self.all {
            bar.abandon();
        }
    }
}
