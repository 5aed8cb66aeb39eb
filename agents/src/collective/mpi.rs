//! Ranks of an MPI job, by the `mpi` crate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mpi::Threading;
use mpi::collective::CommunicatorCollectives;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::Equivalence;

use super::Collective;
use crate::{Error, Result};

/// The ranks of `MPI_COMM_WORLD`.
///
/// Sums are added up in rank order by our own scheme over MPI's exchanges: MPI's reductions may add in another order
/// from one run, or one number of hosts, to the next.
pub struct Mpi {
    /// Keeps MPI initialised.
    _universe: Universe,
    rank: usize,
    size: usize,
    nanoseconds: AtomicU64,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank()).field("size", &self.size()).finish()
    }
}

/// All ranks of the job. Not kept: a communicator's handle may not go from thread to thread.
fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

impl Mpi {
    /// Joins the job that `mpirun` or the cluster's scheduler started; a job of one rank where nothing did.
    ///
    /// # Errors
    /// [`Error::Mpi`] if MPI cannot be initialised or does not allow calls from several threads in turn.
    pub fn join() -> Result<Self> {
        // Training runs on a worker thread of the pool; only one thread at a time calls MPI.
        let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| Error::Mpi { problem: "MPI was initialised before".into() })?;
        if threading < Threading::Serialized {
            let problem = "this MPI library cannot be called from several threads in turn".into();
            return Err(Error::Mpi { problem });
        }
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        Ok(Self { _universe: universe, rank, size, nanoseconds: AtomicU64::new(0) })
    }

    /// Name of this rank's host.
    pub fn host(&self) -> String {
        mpi::environment::processor_name().unwrap_or_else(|_| "unknown host".into())
    }

    fn timed<T>(&self, operation: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = operation();
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }

    /// Sums over ranks in rank order: every rank adds up one part of the vector and hands its sums out, so that each
    /// sends and receives about twice the vector whatever the number of ranks.
    fn sum<T: Equivalence + Copy + Default + std::ops::AddAssign>(&self, values: &mut [T]) {
        let ranks = self.size();
        if ranks == 1 || values.is_empty() {
            return;
        }
        let part = values.len().div_ceil(ranks);
        let mut sent = values.to_vec();
        sent.resize(part * ranks, T::default());
        let mut received = vec![T::default(); part * ranks];
        world().all_to_all_into(&sent[..], &mut received[..]);
        let (sums, others) = received.split_at_mut(part);
        for other in others.chunks_exact(part) {
            sums.iter_mut().zip(other).for_each(|(sum, &value)| *sum += value);
        }
        world().all_gather_into(&sums[..], &mut sent[..]);
        values.copy_from_slice(&sent[..values.len()]);
    }

    /// Every rank's values. Their numbers are exchanged first.
    fn gather<T: Equivalence + Clone + Default>(&self, values: &[T]) -> Vec<Vec<T>> {
        let mut counts = vec![0i32; self.size()];
        world().all_gather_into(&(values.len() as i32), &mut counts[..]);
        let mut total = 0;
        let starts: Vec<i32> = counts
            .iter()
            .map(|count| {
                total += count;
                total - count
            })
            .collect();
        let mut all = vec![T::default(); total as usize];
        let mut partition = PartitionMut::new(&mut all[..], &counts[..], &starts[..]);
        world().all_gather_varcount_into(values, &mut partition);
        let list = |(&start, &count): (&i32, &i32)| all[start as usize..(start + count) as usize].to_vec();
        starts.iter().zip(&counts).map(list).collect()
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum_f32(&self, values: &mut [f32]) {
        self.timed(|| self.sum(values));
    }

    fn sum_f64(&self, values: &mut [f64]) {
        self.timed(|| self.sum(values));
    }

    fn gather_f32(&self, values: &[f32]) -> Vec<Vec<f32>> {
        self.timed(|| self.gather(values))
    }

    fn gather_bytes(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.timed(|| self.gather(bytes))
    }

    fn barrier(&self) {
        self.timed(|| world().barrier());
    }

    fn abort(&self, code: i32) -> ! {
        world().abort(code)
    }

    fn seconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9
    }
}
