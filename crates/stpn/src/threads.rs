//! How many threads a command works on.

use rayon::{ThreadPool, ThreadPoolBuilder};
use stpn_agents::collective::{Collective, Local, sharers};

use crate::{Error, Override, Result, overrides};

/// Threads that any machine may be asked for, and per core of this one.
const ALWAYS: usize = 256;
const PER_CORE: usize = 16;

/// Cores that this process may use, by affinity and control group.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A pool of `threads` worker threads; 0 = one per core that this process may use.
///
/// # Errors
/// [`Error::Excess`] for more than this machine can use.
pub fn pool(threads: usize) -> Result<ThreadPool> {
    pool_on_ranks(threads, &Local)
}

/// [`pool`] on one of several ranks: 0 = an equal share of the cores that it may use together with others on this host.
///
/// # Errors
/// As [`pool`].
pub fn pool_on_ranks(threads: usize, ranks: &dyn Collective) -> Result<ThreadPool> {
    // On every rank, whatever it was asked for: all take part.
    let sharers = sharers(ranks);
    check("threads (training.threads)", threads)?;
    let threads = if threads == 0 && sharers > 1 { (cores() / sharers).max(1) } else { threads };
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| stpn_agents::Error::Threads(error).into())
}

/// Refuses more of `what` than this machine can use.
///
/// # Errors
/// [`Error::Excess`] with the bound.
pub fn check(what: &str, threads: usize) -> Result<()> {
    let (cores, most) = (cores(), ALWAYS.max(PER_CORE * cores()));
    if threads <= most {
        return Ok(());
    }
    let problem =
        format!("{threads} {what}: this process may use {cores} cores, and at most {most} threads are started on them");
    Err(Error::Excess(problem))
}

/// Refuses the number of threads as a key of the runs: it is given for all of them together.
///
/// # Errors
/// [`Error::Unfit`].
pub fn refuse_as_key(changes: &[Override]) -> Result<()> {
    if overrides::sets(changes, "training.threads") {
        let problem = "training.threads: the runs share threads; --threads gives those of all of them together";
        return Err(Error::Unfit(problem.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_threads_hung() {
        let refused = pool(100_000).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("100000 threads") && refused.contains("cores"), "{refused}");
        assert_eq!(pool(3).unwrap().current_num_threads(), 3);
    }
}
