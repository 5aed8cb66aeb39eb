//! The threads on which this module works.
//!
//! They are rayon's, but not rayon's global ones: after a `fork`, as `multiprocessing` may do it, the child has none of
//! its parent's threads, and waiting for them would never end. So a pool belongs to the process that made it, and a
//! child makes its own. Results depend on the number of threads nowhere.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use stpn::agents::Stop;

use crate::errors::{StpnError, wrong};

/// How often signals are looked for.
const WATCH: Duration = Duration::from_millis(50);

/// How often it is looked whether what another thread uses is free.
const TURN: Duration = Duration::from_micros(50);

/// More than any machine has of use.
const MOST: usize = 4096;

struct Threads {
    /// As many as were asked for; 0 is one per core that this process may use.
    asked: usize,
    /// The pool, and the process that made it.
    pool: Option<(u32, Arc<ThreadPool>)>,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { asked: 0, pool: None });

/// A pool of `threads` threads.
pub fn pool_of(threads: usize) -> PyResult<ThreadPool> {
    if threads > MOST {
        return Err(wrong(format!("threads = {threads}; at most {MOST} are started")));
    }
    let named = |index| format!("stpn-{index}");
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(named).build();
    pool.map_err(|error| StpnError::new_err(format!("cannot start threads: {error}")))
}

/// What one thread at a time may use, and keeps while it works without Python's global lock.
///
/// A plain mutex would never open again in a process that was forked while another thread had it. Here it is taken and
/// given back only under the global lock, which whoever forks has too.
pub struct Shared<T> {
    value: Mutex<T>,
    /// The process whose thread has it; 0 is none.
    user: AtomicU32,
}

/// A [`Shared`] value in use.
pub struct Used<'a, T> {
    value: MutexGuard<'a, T>,
    user: &'a AtomicU32,
}

impl<T: Send> Shared<T> {
    /// A value that nobody uses yet.
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), user: AtomicU32::new(0) }
    }

    /// The value, once no other thread has it: Python goes on meanwhile, since that thread may wait for it.
    pub fn lock(&self, py: Python<'_>) -> PyResult<Used<'_, T>> {
        let process = std::process::id();
        while let Err(other) = self.user.compare_exchange(0, process, Ordering::Acquire, Ordering::Relaxed) {
            if other != process {
                let problem = "another thread was using it when this process was forked, and its state is lost here: \
                               load or make it anew";
                return Err(StpnError::new_err(problem));
            }
            py.detach(|| std::thread::sleep(TURN));
        }
        // Nobody else has it, nor waits for it here.
        Ok(Used { value: self.value.lock().unwrap_or_else(PoisonError::into_inner), user: &self.user })
    }
}

impl<T> Deref for Used<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Used<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Used<'_, T> {
    fn drop(&mut self) {
        self.user.store(0, Ordering::Release);
    }
}

/// The pool of this process.
fn pool() -> PyResult<Arc<ThreadPool>> {
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match threads.pool.take() {
        Some((owner, pool)) if owner == process => {
            threads.pool = Some((owner, Arc::clone(&pool)));
            return Ok(pool);
        }
        // The threads of the parent process are not here to be ended: their pool must never be dropped.
        Some((_, foreign)) => std::mem::forget(foreign),
        None => {}
    }
    let pool = Arc::new(pool_of(threads.asked)?);
    threads.pool = Some((process, Arc::clone(&pool)));
    Ok(pool)
}

/// Runs `work` on the pool, without Python's global lock.
pub fn run<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> PyResult<R> {
    let pool = pool()?;
    Ok(py.detach(|| pool.install(work)))
}

/// What is said within [`WATCH`], awaited without Python's global lock.
pub fn heard<T: Send>(py: Python<'_>, ears: &mut Receiver<T>) -> Result<T, RecvTimeoutError> {
    py.detach(move || ears.recv_timeout(WATCH))
}

/// [`run`] of what may take very long and asks a [`Stop`] whether to go on: Ctrl-C, or whatever else Python's handlers of
/// signals raise, gives it up.
pub fn run_until_signal<R: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> R + Send) -> PyResult<R> {
    let (pool, stop) = (pool()?, Stop::default());
    std::thread::scope(|scope| {
        let (speaker, mut ears) = channel();
        let (pool, ours) = (&pool, &stop);
        let worker = scope.spawn(move || {
            // Somebody listens until it is said.
            let _ = speaker.send(pool.install(|| work(ours)));
        });
        let mut signal = None;
        loop {
            match heard(py, &mut ears) {
                Ok(result) => return signal.map_or(Ok(result), Err),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // A panic that nobody takes is one of the scope.
                    let _ = worker.join();
                    return Err(StpnError::new_err("a thread ended in a panic, which stderr shows"));
                }
            }
            if let Err(raised) = py.check_signals() {
                stop.abandon();
                signal.get_or_insert(raised);
            }
        }
    })
}

/// Sets on how many threads this process works from now on; 0, the default, is one per core that it may use.
#[pyfunction]
pub fn set_num_threads(threads: usize) -> PyResult<()> {
    let pool = Arc::new(pool_of(threads)?);
    let mut now = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, before)) = now.pool.take()
        && owner != std::process::id()
    {
        std::mem::forget(before);
    }
    *now = Threads { asked: threads, pool: Some((std::process::id(), pool)) };
    Ok(())
}

/// On how many threads this process works.
#[pyfunction]
pub fn get_num_threads() -> PyResult<usize> {
    Ok(pool()?.current_num_threads())
}
