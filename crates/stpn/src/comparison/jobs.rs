//! Training the runs of a comparison in child processes of this program.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{PlannedRun, RunState};
use crate::exit;

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
    pub fn new(jobs: usize, threads: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let jobs = jobs.max(1);
        let threads = if threads == 0 { cores } else { threads };
        Self { jobs, threads: (threads / jobs).max(1) }
    }
}

/// How often the user asked to stop, and whom to tell.
#[derive(Default)]
struct Interruptions {
    asked: AtomicUsize,
    children: Mutex<Vec<u32>>,
}

impl Interruptions {
    fn children(&self) -> MutexGuard<'_, Vec<u32>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }
}

/// The interruptions of this process, caught from the first call on.
fn interruptions() -> Result<&'static Interruptions> {
    static INTERRUPTIONS: OnceLock<Interruptions> = OnceLock::new();
    if let Some(interruptions) = INTERRUPTIONS.get() {
        return Ok(interruptions);
    }
    let interruptions = INTERRUPTIONS.get_or_init(Interruptions::default);
    ctrlc::set_handler(|| {
        // A second Ctrl-C reaches the children too, which then stop at once.
        if interruptions.asked.fetch_add(1, Ordering::SeqCst) == 0 {
            eprintln!("\nthe runs finish their update and write a checkpoint (Ctrl-C again: stop at once)");
        }
        interruptions.children().iter().for_each(|&child| interrupt(child));
    })
    .context("cannot catch Ctrl-C")?;
    Ok(interruptions)
}

/// Trains what is not finished. Returns false where it was interrupted; every child has then written a checkpoint.
pub fn train(runs: &[PlannedRun], jobs: Jobs) -> Result<bool> {
    let mut queue = VecDeque::new();
    for run in runs {
        match run.state()? {
            RunState::Finished => {}
            state => queue.push_back((run.clone(), state)),
        }
    }
    let (total, left) = (runs.len(), queue.len());
    eprintln!("{total} runs, {} finished; {} at a time, threads each: {}", total - left, jobs.jobs, jobs.threads);
    if left == 0 {
        return Ok(true);
    }
    let interruptions = interruptions()?;

    let display = Display::new(total, total - left);
    let queue = Mutex::new(queue);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs.jobs.min(left) {
            scope.spawn(|| {
                while !interruptions.asked() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((run, state)) = next else { break };
                    if let Err(error) = train_one(&run, state, jobs.threads, interruptions, &display) {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:#}"));
                    }
                }
            });
        }
    });
    display.finish();
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(first) = failures.first() {
        bail!("{} of {left} runs failed; the first: {first}", failures.len());
    }
    Ok(!interruptions.asked())
}

fn train_one(
    run: &PlannedRun,
    state: RunState,
    threads: usize,
    interruptions: &Interruptions,
    display: &Display,
) -> Result<()> {
    let name = run.name();
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    match state {
        RunState::Interrupted => {
            let updates = run.config.training().updates.to_string();
            command.arg("resume").arg(&run.directory).args(["--updates", &updates]);
        }
        _ => {
            command.args(&run.arguments).arg("--run-dir").arg(&run.directory);
        }
    }
    command.args(["--threads", &threads.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    #[cfg(unix)]
    {
        // A group of its own: Ctrl-C reaches it through us, once.
        use std::os::unix::process::CommandExt;
        command.process_group(0);
    }
    let mut child: Child = command.spawn().context("cannot start a run")?;
    interruptions.children().push(child.id());
    if interruptions.asked() {
        interrupt(child.id());
    }
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
    let status = child.wait().context("cannot wait for a run")?;
    interruptions.children().retain(|&id| id != child.id());
    display.end(&bar, status.success());
    let as_asked = status.code() == Some(i32::from(exit::INTERRUPTED)) && interruptions.asked();
    if !(status.success() || as_asked) {
        bail!("{name}: {status}\n{}", Vec::from(last).join("\n"));
    }
    Ok(())
}

/// Asks a child to stop after its update.
#[cfg(unix)]
fn interrupt(child: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        let _ = kill_process(pid, Signal::INT);
    }
}

/// The console has told the child already.
#[cfg(not(unix))]
fn interrupt(_child: u32) {}

/// A bar for all runs and a line for each that runs; plain lines where there is no terminal.
struct Display {
    all: Option<(MultiProgress, ProgressBar)>,
}

impl Display {
    fn new(total: usize, done: usize) -> Self {
        let all = std::io::stderr().is_terminal().then(|| {
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
            None => eprintln!("[{name}] {line}"),
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
