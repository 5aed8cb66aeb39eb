//! The processes of a job: alone, or one of those that `mpirun` or a cluster's scheduler started.

use std::sync::Arc;

use stpn_agents::collective::{Collective, Local};

use crate::{Error, Result};

/// Variables by which launchers tell a process how many there are: Open MPI's, PMI's (MPICH, Intel MPI, Cray), and
/// those of MVAPICH, Flux and Slurm's `srun`. A batch script by itself has only variables of the job, which are not here.
const SIZES: [&str; 5] =
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "FLUX_JOB_SIZE", "SLURM_STEP_NUM_TASKS"];

/// Of a launcher that does not tell how many (PMIx without Open MPI or Slurm): this process' number among them.
const RANK: &str = "PMIX_RANK";

/// Joins the job that this process belongs to.
///
/// From then on a panic on any thread ends all ranks: the others would wait for this one for ever.
///
/// # Errors
/// [`Error::Unfit`] if several processes were started and this program cannot train with them together.
pub fn join() -> Result<Arc<dyn Collective>> {
    match started(|name| std::env::var(name).ok()) {
        Started::Alone => Ok(Arc::new(Local)),
        started => several(started),
    }
}

/// Refuses to be one of several processes: for commands that start their own, and would all write into one folder.
///
/// # Errors
/// [`Error::Unfit`] if a launcher started several.
pub fn refuse_several() -> Result<()> {
    let started = started(|name| std::env::var(name).ok());
    if matches!(started, Started::Alone | Started::Among(1)) {
        return Ok(());
    }
    let problem = "started as one of several processes, which would each do the same in one folder: this starts \
                   processes of its own, so start it once, without `mpirun` or `srun`";
    Err(Error::Unfit(problem.into()))
}

/// How a launcher started this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    /// Not at all.
    Alone,
    /// As one of so many.
    Among(usize),
    /// As one of a number that it does not tell.
    AmongSome,
}

fn started(variable: impl Fn(&str) -> Option<String>) -> Started {
    let size = SIZES.iter().find_map(|name| variable(name)?.parse::<usize>().ok());
    match size {
        Some(size) if size > 0 => Started::Among(size),
        _ if variable(RANK).is_some() => Started::AmongSome,
        _ => Started::Alone,
    }
}

#[cfg(feature = "mpi")]
fn several(started: Started) -> Result<Arc<dyn Collective>> {
    let ranks = Arc::new(stpn_agents::collective::Mpi::join()?);
    if let (Started::Among(size @ 2..), 1) = (started, ranks.size()) {
        let problem = format!(
            "started as one of {size} processes, of which MPI sees one alone: start them with the `mpirun` of the MPI \
             library that this program was built with, or with `srun --mpi=pmix` (`srun --mpi=list` shows what there is)"
        );
        return Err(Error::Unfit(problem));
    }
    if ranks.size() > 1 {
        // Weak, since MPI is finalised when the last of its holders goes.
        let (here, default) = (Arc::downgrade(&ranks), std::panic::take_hook());
        let (rank, host) = (ranks.rank(), ranks.host());
        std::panic::set_hook(Box::new(move |panic| {
            default(panic);
            if let Some(here) = here.upgrade() {
                crate::say::note(format!("rank {rank} on {host} panicked: ending all ranks"));
                crate::say::flush();
                here.abort(1);
            }
        }));
    }
    Ok(ranks)
}

#[cfg(not(feature = "mpi"))]
fn several(started: Started) -> Result<Arc<dyn Collective>> {
    let among = match started {
        Started::Among(1) | Started::Alone => return Ok(Arc::new(Local)),
        Started::Among(size) => format!("{size} processes"),
        Started::AmongSome => format!("several processes ({RANK} is set; unset it if this is the only one)"),
    };
    let problem = format!(
        "started as one of {among}, but this program was built for one, and each would train the same by itself: \
         build it with the feature `mpi` to train on all of them together"
    );
    Err(Error::Unfit(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_that_was_not_understood() {
        let of = |set: &[(&str, &str)]| {
            started(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_string()))
        };
        assert_eq!(of(&[]), Started::Alone);
        assert_eq!(of(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), Started::Alone, "a batch script by itself");
        assert_eq!(of(&[("SLURM_STEP_NUM_TASKS", "8"), ("PMIX_RANK", "3")]), Started::Among(8));
        assert_eq!(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "1")]), Started::Among(2));
        assert_eq!(of(&[("PMIX_RANK", "0"), ("PMIX_NAMESPACE", "job")]), Started::AmongSome);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "1"), ("PMIX_RANK", "0")]), Started::Among(1));
    }
}
