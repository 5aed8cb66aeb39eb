//! Child processes of this program: a request to end is passed on to them, and they end with this process.

use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::cli::exit;
use crate::shutdown::{self, Request};
use crate::{Error, Result};

/// The children that run, and whether an end was asked for.
#[derive(Default)]
pub struct Children {
    asked: AtomicBool,
    running: Mutex<Vec<u32>>,
}

/// Requests are passed on to a child as long as there is this.
pub struct Tie {
    id: u32,
    /// Its end tells the child that this process is gone.
    _stdin: Option<ChildStdin>,
    among: &'static Children,
}

/// The children of this process; from the first call on, requests to end are listened to.
///
/// # Errors
/// Fails if signals cannot be caught.
pub fn children() -> Result<&'static Children> {
    static CHILDREN: OnceLock<Children> = OnceLock::new();
    if let Some(children) = CHILDREN.get() {
        return Ok(children);
    }
    let children = CHILDREN.get_or_init(Children::default);
    shutdown::listen(false, |request| {
        let first = !children.asked.swap(true, Ordering::SeqCst);
        children.running().iter().for_each(|&child| pass_on(request, child));
        if request == Request::Now {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        if first {
            tracing::warn!("ending: the runs finish or give up their update and write a checkpoint");
        }
    })?;
    Ok(children)
}

impl Children {
    fn running(&self) -> MutexGuard<'_, Vec<u32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if an end was asked for.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn go_on(&self) -> Result<()> {
        if self.asked() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Whether an end was asked for.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Starts a child. Its stdin ends with this process, which `--with-parent` makes it heed.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub fn start(&'static self, command: &mut Command) -> Result<(Child, Tie)> {
        command.stdin(Stdio::piped());
        #[cfg(unix)]
        {
            // A group of its own: Ctrl-C reaches it through us, once.
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(Error::system("cannot start another process of this program"))?;
        let tie = Tie { id: child.id(), _stdin: child.stdin.take(), among: self };
        self.running().push(tie.id);
        if self.asked() {
            pass_on(Request::End, tie.id);
        }
        Ok((child, tie))
    }

    /// Runs a child to its end and returns its output.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if an end was asked for meanwhile and it did not succeed.
    pub fn output(&'static self, command: &mut Command) -> Result<Output> {
        self.go_on()?;
        let (child, _tie) = self.start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let output =
            child.wait_with_output().map_err(Error::system("cannot wait for another process of this program"))?;
        if !output.status.success() {
            self.go_on()?;
        }
        Ok(output)
    }
}

impl Drop for Tie {
    fn drop(&mut self) {
        self.among.running().retain(|&running| running != self.id);
    }
}

/// Asks a child for what this process was asked for.
#[cfg(unix)]
fn pass_on(request: Request, child: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match request {
        Request::Warning => Signal::USR1,
        Request::End => Signal::TERM,
        Request::Now => Signal::KILL,
    };
    if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        let _ = kill_process(pid, signal);
    }
}

/// The console has told the child already.
#[cfg(not(unix))]
fn pass_on(_request: Request, _child: u32) {}
