//! The worker processes of one kind of environment.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde_json::{Value, json};

use super::GymnasiumConfig;
use super::process::{Process, Ready};
use super::protocol::Saving;
use super::python::python;
use super::trust;
use crate::placement::{self, Group};
use crate::{Result, Space};

/// Worker processes that make environments of one configuration. They live as long as one of them does; those made last
/// stay for the next.
pub(super) struct Pool {
    pub config: GymnasiumConfig,
    interpreter: PathBuf,
    /// Most processes.
    most: usize,
    processes: Mutex<Vec<Arc<Process>>>,
    /// Where groups of environments have begun to be made.
    groups: Mutex<Vec<(Group, Weak<Process>)>>,
    /// Whether steps were begun that may not be sent yet.
    begun: AtomicBool,
    spaces: OnceLock<Arc<Spaces>>,
}

/// What all environments of a pool have in common.
pub(super) struct Spaces {
    pub observation: Space,
    pub action: Space,
    pub records: bool,
    pub saving: Saving,
}

/// A place for an environment.
pub(super) struct Seat {
    pub process: Arc<Process>,
    pub row: u16,
}

static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

/// The pool asked for last: starting one takes a second, and a program that looks at an environment makes it soon after.
static LAST: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the worker processes that wait for more environments, once these have been closed. A program that ends without
/// this ends its workers too, but at once.
pub fn close_workers() {
    let last = lock(&LAST).take();
    drop(last);
}

impl Pool {
    /// The pool of these settings in this process.
    pub fn of(config: &GymnasiumConfig) -> Result<Arc<Self>> {
        let interpreter = python();
        let mut pools = lock(&POOLS);
        pools.retain(|pool| pool.strong_count() > 0);
        let alike = |pool: &Arc<Self>| pool.config == *config && pool.interpreter == interpreter;
        let pool = pools.iter().filter_map(Weak::upgrade).find(alike).unwrap_or_else(|| {
            let pool = Arc::new(Self {
                config: config.clone(),
                interpreter,
                most: if config.workers == 0 { rayon::current_num_threads() } else { config.workers },
                processes: Mutex::new(Vec::new()),
                groups: Mutex::new(Vec::new()),
                begun: AtomicBool::new(false),
                spaces: OnceLock::new(),
            });
            pools.push(Arc::downgrade(&pool));
            pool
        });
        drop(pools);
        // The one before ends its processes outside of the lock.
        let before = lock(&LAST).replace(Arc::clone(&pool));
        drop(before);
        Ok(pool)
    }

    /// What a process is told.
    fn settings(&self) -> Value {
        let GymnasiumConfig {
            id, make, kwargs, import, wrappers, max_episode_steps, scale_actions, memory_limit, ..
        } = &self.config;
        let folder = std::env::current_dir().ok().map(|folder| folder.to_string_lossy().into_owned());
        json!({
            "id": id,
            "make": make,
            "kwargs": kwargs,
            "import": import,
            "wrappers": wrappers,
            "max_episode_steps": max_episode_steps,
            "scale_actions": scale_actions,
            "memory_limit": memory_limit,
            "render": self.config.pictures,
            "trusted": trust::is_given(&self.config),
            "leave": trust::named_imports(&self.config),
            "folder": folder,
            "saving": self.spaces.get().map(|spaces| spaces.saving),
        })
    }

    /// A place for an environment: in a process of its own as long as there may be more, else where there are fewest. A
    /// group that steps together is in one process if there are groups enough for all: its steps are then one exchange.
    pub fn seat(&self) -> Result<Seat> {
        let group = placement::group().filter(|group| group.of >= self.most);
        let seat = {
            let mut processes = lock(&self.processes);
            processes.retain(|process| !process.is_dead());
            let mut groups = lock(&self.groups);
            groups.retain(|(_, process)| process.upgrade().is_some_and(|process| !process.is_dead()));
            let begun = groups.iter().find(|(begun, _)| Some(*begun) == group);
            if let Some(process) = begun.and_then(|(_, process)| process.upgrade()) {
                return Ok(Seat { row: process.take_row()?, process });
            }
            let idle = processes.iter().any(|process| process.load() == 0);
            if processes.is_empty() || (processes.len() < self.most && !idle) {
                processes.push(Arc::new(Process::start(self.config.label(), self.interpreter.clone())?));
            }
            let loads = processes.iter().map(|process| process.load()).enumerate();
            let (at, _) = loads.min_by_key(|&(_, load)| load).unwrap_or_default();
            groups.extend(group.map(|group| (group, Arc::downgrade(&processes[at]))));
            Seat { row: processes[at].take_row()?, process: Arc::clone(&processes[at]) }
        };
        self.ready(&seat.process)?;
        Ok(seat)
    }

    /// The process, ready.
    pub fn ready<'p>(&self, process: &'p Process) -> Result<&'p Ready> {
        if let Some(ready) = process.described() {
            return Ok(ready);
        }
        process.ready(&self.settings())
    }

    /// The spaces, from a process that is ready.
    pub fn spaces(&self, ready: &Ready) -> Arc<Spaces> {
        let spaces = self.spaces.get_or_init(|| {
            Arc::new(Spaces {
                observation: ready.description.observation.clone().space(),
                action: ready.description.action.clone().space(),
                records: ready.description.records,
                saving: ready.description.saving,
            })
        });
        Arc::clone(spaces)
    }

    /// Notes that a step was begun.
    pub fn begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Sends all steps that were begun, to all processes, so that these work side by side.
    pub fn flush(&self) {
        if self.begun.swap(false, Ordering::Relaxed) {
            for process in lock(&self.processes).iter() {
                // Whoever waits for an answer of this one is told.
                let _ = process.flush();
            }
        }
    }
}
