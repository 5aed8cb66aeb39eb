//! The processes of a job: alone, or one of those that `mpirun` or a cluster's scheduler started.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use stpn_agents::collective::{Collective, Local};

/// Variables by which launchers tell a process how many there are: Open MPI's, and PMI's (MPICH, Intel MPI, Slurm).
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// How long a rank waits to be ended by the one that failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// Joins the job that this process belongs to.
///
/// From then on a panic on any thread ends all ranks: the others would wait for this one for ever.
///
/// # Errors
/// A usage error where several processes were started and this program cannot train with them together.
pub fn join() -> Result<Arc<dyn Collective>> {
    let size = SIZES.iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
    match size {
        None | Some(0) => Ok(Arc::new(Local)),
        Some(size) => several(size),
    }
}

#[cfg(feature = "mpi")]
fn several(_size: usize) -> Result<Arc<dyn Collective>> {
    let ranks = Arc::new(stpn_agents::collective::Mpi::join()?);
    if ranks.size() > 1 {
        // Weak, since MPI is finalised where the last of its holders goes.
        let (here, default) = (Arc::downgrade(&ranks), std::panic::take_hook());
        let (rank, host) = (ranks.rank(), ranks.host());
        std::panic::set_hook(Box::new(move |panic| {
            default(panic);
            if let Some(here) = here.upgrade() {
                eprintln!("rank {rank} on {host} panicked: ending all ranks");
                here.abort(1);
            }
        }));
    }
    Ok(ranks)
}

#[cfg(not(feature = "mpi"))]
fn several(size: usize) -> Result<Arc<dyn Collective>> {
    if size == 1 {
        return Ok(Arc::new(Local));
    }
    let problem = format!(
        "started as one of {size} processes, but this program was built for one: build it with `--features mpi` to \
         train on all of them together"
    );
    Err(crate::exit::UsageError(problem).into())
}

/// This rank's result of a command. A rank that fails by itself ends all of them: the others would wait for it.
pub fn end<T>(ranks: &dyn Collective, result: Result<T>) -> Result<T> {
    match &result {
        Err(error) if ranks.size() > 1 => {
            match error.downcast_ref() {
                // That one says why and ends all of them: if this one was quicker, it would be killed before it could.
                Some(stpn_agents::Error::OtherRank { .. }) => std::thread::sleep(PATIENCE),
                _ => eprintln!("error on rank {}: {error:#}", ranks.rank()),
            }
            ranks.abort(crate::exit::code(error).into())
        }
        _ => result,
    }
}
