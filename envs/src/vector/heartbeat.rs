//! Where a group is, for a watchdog on another thread: a call that never returns can be named from there alone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::Error;

/// No environment is being called.
const IDLE: usize = usize::MAX;

/// What a group is doing. The group's thread writes, any other reads.
#[derive(Debug)]
pub struct Heartbeat {
    environment: String,
    worker: usize,
    first: usize,
    /// Counts calls into environments.
    beats: AtomicU64,
    row: AtomicUsize,
    seed: AtomicU64,
    step: AtomicU64,
}

impl Heartbeat {
    pub(super) fn new(environment: &str, worker: usize, first: usize) -> Self {
        Self {
            environment: environment.to_string(),
            worker,
            first,
            beats: AtomicU64::new(0),
            row: AtomicUsize::new(IDLE),
            seed: AtomicU64::new(0),
            step: AtomicU64::new(0),
        }
    }

    /// The group calls the environment in `row` next. Nothing is ordered by this: a watchdog looks seconds later.
    pub(super) fn enter(&self, row: usize, seed: u64, step: u64) {
        self.row.store(row, Ordering::Relaxed);
        self.seed.store(seed, Ordering::Relaxed);
        self.step.store(step, Ordering::Relaxed);
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The group has left its environments.
    pub(super) fn leave(&self) {
        self.row.store(IDLE, Ordering::Relaxed);
    }

    /// Number of the call that an environment is in; none between calls. The same number twice is the same call.
    pub fn call(&self) -> Option<u64> {
        (self.row.load(Ordering::Relaxed) != IDLE).then(|| self.beats.load(Ordering::Relaxed))
    }

    /// The error that names the environment that is being called.
    pub fn failure(&self, problem: String) -> Error {
        let row = self.row.load(Ordering::Relaxed);
        Error::Worker {
            environment: self.environment.clone(),
            index: if row == IDLE { self.first } else { self.first + row },
            worker: self.worker,
            seed: self.seed.load(Ordering::Relaxed),
            step: self.step.load(Ordering::Relaxed),
            problem,
        }
    }
}
