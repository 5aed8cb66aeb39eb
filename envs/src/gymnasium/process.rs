//! One worker process: requests, answers, and how it ends.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command as Program, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::protocol::{Command, Description, Layout, RECORD, ROWS, Status, failed, parse, read, record};
use super::python::PROGRAM;
use super::segment::Segment;
use super::spawner::spawn;
use crate::{Error, Result};

/// How long starting and making environments may take.
const START: Duration = Duration::from_secs(300);

/// How long a process may take to close its environments.
const CLOSE: Duration = Duration::from_secs(2);

/// Looks in a time limit. They are counted, so that a machine that sleeps does not look like a process that hangs.
const TICKS: u32 = 10;

/// Bytes of its last words that are kept.
const LAST_WORDS: usize = 4096;

/// A worker process.
pub(super) struct Process {
    environment: String,
    interpreter: PathBuf,
    child: Mutex<Child>,
    outgoing: Mutex<Outgoing>,
    incoming: Mutex<Incoming>,
    rows: Mutex<Vec<bool>>,
    /// What it said of the environment, once it is ready.
    ready: OnceLock<std::result::Result<Ready, String>>,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    /// Why it is of no more use.
    dead: OnceLock<String>,
}

/// A process that knows its environment.
pub(super) struct Ready {
    pub description: Description,
    pub layout: Layout,
    pub segment: Segment,
}

struct Outgoing {
    /// None once it is closed.
    pipe: Option<ChildStdin>,
    /// Rows whose steps are not sent yet, and what the process reads for each.
    begun: Vec<u16>,
    entries: Vec<u8>,
}

struct Incoming {
    pipe: ChildStdout,
    received: Vec<u8>,
    answers: HashMap<u16, std::result::Result<Vec<u8>, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// Starts one; it is not ready yet.
    pub fn start(environment: &str, interpreter: PathBuf) -> Result<Self> {
        let mut program = Program::new(&interpreter);
        program.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Workers share the cores among themselves.
        for threads in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            if std::env::var_os(threads).is_none() {
                program.env(threads, "1");
            }
        }
        if std::env::var_os("SDL_VIDEODRIVER").is_none() {
            program.env("SDL_VIDEODRIVER", "dummy");
        }
        program.env("PYGAME_HIDE_SUPPORT_PROMPT", "1");
        let cannot = |error: std::io::Error| {
            let interpreter = interpreter.display();
            let remedy = "name a Python by STPN_PYTHON, or activate a virtual environment";
            failed(environment, format!("cannot start `{interpreter}`: {error}; {remedy}"))
        };
        let mut child = spawn(program).map_err(cannot)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            unreachable!("all three are piped");
        };
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let heard = Arc::clone(&last_words);
        std::thread::spawn(move || listen(stderr, &heard));
        Ok(Self {
            environment: environment.into(),
            interpreter,
            child: Mutex::new(child),
            outgoing: Mutex::new(Outgoing { pipe: Some(stdin), begun: Vec::new(), entries: Vec::new() }),
            incoming: Mutex::new(Incoming { pipe: stdout, received: Vec::new(), answers: HashMap::new() }),
            rows: Mutex::new(Vec::new()),
            ready: OnceLock::new(),
            last_words,
            dead: OnceLock::new(),
        })
    }

    /// Tells it of the environment, where that is not done yet, and waits for what it says.
    pub fn ready(&self, settings: &serde_json::Value) -> Result<&Ready> {
        let ready = self.ready.get_or_init(|| self.begin(settings).map_err(|error| problem(&error)));
        ready.as_ref().map_err(|problem| self.failed(problem.clone()))
    }

    fn begin(&self, settings: &serde_json::Value) -> Result<Ready> {
        let answer = self.exchange(0, Command::Begin, settings.to_string().as_bytes(), Some(START))?;
        let description: Description = read(&self.environment, &answer)?;
        let (observation, action) = (description.observation.clone().space(), description.action.clone().space());
        let layout = Layout::new(&observation, &action);
        let (segment, entrance) = Segment::new(layout).map_err(|error| self.failed(error.to_string()))?;
        let mut place = serde_json::to_value(layout).unwrap_or_default();
        place["path"] = entrance.path().to_string_lossy().into();
        self.exchange(0, Command::Map, place.to_string().as_bytes(), Some(START))?;
        // If it has a name, that goes here: nobody else can open it, and nothing is left of it whatever becomes of the two
        // of us.
        drop(entrance);
        Ok(Ready { description, layout, segment })
    }

    /// What it said, if it is ready.
    pub fn described(&self) -> Option<&Ready> {
        self.ready.get()?.as_ref().ok()
    }

    /// Whether it can be used no more.
    pub fn is_dead(&self) -> bool {
        self.dead.get().is_some() || self.ready.get().is_some_and(std::result::Result::is_err)
    }

    /// Rows in use.
    pub fn load(&self) -> usize {
        lock(&self.rows).iter().filter(|used| **used).count()
    }

    /// Takes a free row.
    pub fn take_row(&self) -> Result<u16> {
        let mut rows = lock(&self.rows);
        let free = rows.iter().position(|used| !used).unwrap_or(rows.len());
        if free >= usize::from(ROWS) {
            return Err(self.failed(format!("{ROWS} environments are the most in one process: raise env.workers")));
        }
        match rows.get_mut(free) {
            Some(used) => *used = true,
            None => rows.push(true),
        }
        Ok(free as u16)
    }

    /// Closes the environment in a row and frees it.
    pub fn free_row(&self, row: u16) {
        if !self.is_dead() {
            // There is no answer, and what came of it interests nobody.
            let _ = self.send(&mut lock(&self.outgoing), &record(row, Command::Close, 0));
            lock(&self.incoming).answers.remove(&row);
        }
        lock(&self.rows)[usize::from(row)] = false;
    }

    /// Puts down that a row's step is to be sent, with what the process reads for it: seed and action.
    pub fn begin_step(&self, row: u16, entry: &[u8]) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.begun.push(row);
        outgoing.entries.extend_from_slice(entry);
    }

    /// Sends all steps that were begun.
    pub fn flush(&self) -> Result<()> {
        let mut outgoing = lock(&self.outgoing);
        let (begun, entries) = (std::mem::take(&mut outgoing.begun), std::mem::take(&mut outgoing.entries));
        let (false, Some(ready)) = (begun.is_empty(), self.described()) else { return Ok(()) };
        let table = ready.layout.incoming;
        let mut entries = entries.chunks(table.stride);
        for run in begun.chunk_by(|row, next| row + 1 == *next) {
            let entries: Vec<u8> = entries.by_ref().take(run.len()).flatten().copied().collect();
            if let Err(error) = ready.segment.write(table, run[0], &entries) {
                // Nobody need wait for these steps.
                let reason = self.dead.get_or_init(|| format!("cannot write to the shared file: {error}"));
                return Err(self.failed(reason.clone()));
            }
        }
        let requests: Vec<u8> = begun.iter().flat_map(|&row| record(row, Command::Step, 0)).collect();
        self.send(&mut outgoing, &requests)
    }

    fn send(&self, outgoing: &mut Outgoing, bytes: &[u8]) -> Result<()> {
        if let Some(reason) = self.dead.get() {
            return Err(self.failed(reason.clone()));
        }
        let sent = outgoing.pipe.as_mut().map(|pipe| pipe.write_all(bytes));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// A request and its answer.
    pub fn exchange(&self, row: u16, command: Command, payload: &[u8], limit: Option<Duration>) -> Result<Vec<u8>> {
        let request = [&record(row, command, payload.len())[..], payload].concat();
        self.send(&mut lock(&self.outgoing), &request)?;
        self.receive(row, limit)
    }

    /// The answer to a row's last request, to step what came of it, for which each call into an environment may take that long.
    pub fn receive(&self, row: u16, limit: Option<Duration>) -> Result<Vec<u8>> {
        let mut incoming = lock(&self.incoming);
        let mut ticks = 0;
        loop {
            if let Some(answer) = incoming.answers.remove(&row) {
                return answer.map_err(|problem| self.failed(problem));
            }
            if let Some(reason) = self.dead.get() {
                return Err(self.failed(self.of_row(row, reason)));
            }
            let tick = limit.map(|limit| limit / TICKS);
            if !ready_within(&incoming.pipe, tick) {
                ticks += 1;
                if ticks >= TICKS {
                    let seconds = limit.unwrap_or_default().as_secs_f64();
                    let reason =
                        format!("it has not returned for {seconds:.1} s (rollout.step_timeout), and was killed");
                    self.kill();
                    let reason = self.dead.get_or_init(|| reason);
                    return Err(self.failed(self.of_row(row, reason)));
                }
                continue;
            }
            ticks = 0;
            let mut bytes = [0; 1 << 13];
            match incoming.pipe.read(&mut bytes) {
                Ok(0) => return Err(self.failed(self.of_row(row, &problem(&self.ended())))),
                Ok(count) => {
                    let taken = incoming.take(&bytes[..count], self.described());
                    taken.map_err(|error| self.failed(format!("cannot read from the shared file: {error}")))?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(self.ended()),
            }
        }
    }

    /// The reason why it died, as the environment of a row should tell it.
    fn of_row(&self, row: u16, reason: &str) -> String {
        match self.described().and_then(|ready| ready.segment.at_work()) {
            Some(other) if other != row => {
                format!("it shared a process with an environment that brought it down: {reason}")
            }
            _ => reason.to_string(),
        }
    }

    fn kill(&self) {
        let mut child = lock(&self.child);
        // It may have ended by itself just now.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// The error of a process that ended by itself.
    fn ended(&self) -> Error {
        let reason = self.dead.get_or_init(|| {
            let status = lock(&self.child).wait();
            let how = match status {
                Ok(status) => match (status.code(), status.signal()) {
                    (_, Some(11)) => "by signal 11, a segmentation fault".to_string(),
                    (_, Some(9)) => "by signal 9: it was killed, perhaps for want of memory".to_string(),
                    (_, Some(signal)) => format!("by signal {signal}"),
                    (code, None) => format!("with exit code {}", code.unwrap_or_default()),
                },
                Err(error) => error.to_string(),
            };
            // Its last words come by another pipe.
            std::thread::sleep(Duration::from_millis(50));
            let words: Vec<u8> = lock(&self.last_words).iter().copied().collect();
            let words = String::from_utf8_lossy(&words).trim().to_string();
            let interpreter = self.interpreter.display();
            match words.is_empty() {
                true => format!("its process ({interpreter}) ended {how}"),
                false => format!("its process ({interpreter}) ended {how}; its last words:\n{words}"),
            }
        });
        self.failed(reason.clone())
    }

    fn failed(&self, problem: impl Into<String>) -> Error {
        failed(&self.environment, problem)
    }
}

impl Incoming {
    /// Takes in what was received. What came of steps is read from the shared file.
    fn take(&mut self, bytes: &[u8], ready: Option<&Ready>) -> std::io::Result<()> {
        self.received.extend_from_slice(bytes);
        let (mut at, mut stepped) = (0, Vec::new());
        while let Some(head) = self.received[at..].first_chunk::<RECORD>() {
            let (row, status, length) = parse(*head);
            let Some(payload) = self.received.get(at + RECORD..at + RECORD + length) else { break };
            match status {
                Status::Stepped => stepped.push(row),
                Status::Done => drop(self.answers.insert(row, Ok(payload.to_vec()))),
                Status::Failed => {
                    let problem = String::from_utf8_lossy(payload).into_owned();
                    self.answers.insert(row, Err(problem));
                }
            }
            at += RECORD + length;
        }
        self.received.drain(..at);
        let Some(Ready { layout, segment, .. }) = ready else { return Ok(()) };
        for run in stepped.chunk_by(|row, next| row + 1 == *next) {
            let mut entries = vec![0; run.len() * layout.outgoing.stride];
            segment.read(layout.outgoing, run[0], 0, &mut entries)?;
            for (&row, entry) in run.iter().zip(entries.chunks_exact(layout.outgoing.stride)) {
                self.answers.insert(row, Ok(entry.to_vec()));
            }
        }
        Ok(())
    }
}

impl Drop for Process {
    /// Lets it close its environments, for a while.
    fn drop(&mut self) {
        lock(&self.outgoing).pipe = None;
        let pause = Duration::from_millis(5);
        for _ in 0..CLOSE.as_millis() / pause.as_millis() {
            match lock(&self.child).try_wait() {
                Ok(None) => std::thread::sleep(pause),
                _ => return,
            }
        }
        self.kill();
    }
}

/// Whether there is something to read, or the end, before the time is over.
fn ready_within(pipe: &ChildStdout, limit: Option<Duration>) -> bool {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut pipes = [PollFd::new(pipe, PollFlags::IN)];
    // Where polling fails, reading says why.
    !matches!(poll(&mut pipes, limit.as_ref()), Ok(0))
}

/// What an error of this module says.
fn problem(error: &Error) -> String {
    match error {
        Error::Simulator { problem, .. } => problem.clone(),
        other => other.to_string(),
    }
}

/// Passes on what a process says beside its answers, and keeps the end of it.
fn listen(mut stderr: ChildStderr, last_words: &Mutex<VecDeque<u8>>) {
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut bytes) {
        // That nobody reads it stops nothing.
        let _ = std::io::stderr().write_all(&bytes[..count]);
        let mut kept = lock(last_words);
        kept.extend(&bytes[..count]);
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
}
