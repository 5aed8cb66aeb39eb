//! Processes that train one agent together: every rank holds its own environments, all hold the same parameters.
//!
//! Ranks never disagree: whatever steers training (gradients, moments, losses, counters, the wish to stop) is reduced
//! over all of them before it is used, in rank order, and every rank then takes the same step by itself.

mod exchange;
mod local;
#[cfg(feature = "mpi")]
mod mpi;

use std::fmt::Debug;

pub use exchange::Exchange;
pub use local::Local;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;

use crate::{Error, Result};

/// A group of processes that call the same operations in the same order.
pub trait Collective: Debug + Send + Sync {
    /// This process' number, 0 to `size − 1`.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn size(&self) -> usize;

    /// Replaces `values` by their sum over all ranks, the same bits on every rank, equal from run to run.
    fn sum_f32(&self, values: &mut [f32]);

    /// [`Collective::sum_f32`] in double precision.
    fn sum_f64(&self, values: &mut [f64]);

    /// Every rank's `values`, in rank order, on every rank. Lengths may differ.
    fn gather_f32(&self, values: &[f32]) -> Vec<Vec<f32>>;

    /// Every rank's `bytes`, in rank order, on every rank. Lengths may differ.
    fn gather_bytes(&self, bytes: &[u8]) -> Vec<Vec<u8>>;

    /// Waits until every rank has come here.
    fn barrier(&self);

    /// Ends every process of the job at once. Called where one rank fails: the others would wait for it for ever.
    fn abort(&self, code: i32) -> !;

    /// True for the rank that logs and draws the progress bar.
    fn is_root(&self) -> bool {
        self.rank() == 0
    }

    /// Seconds that this process has spent in collective operations, waiting for other ranks included.
    fn seconds(&self) -> f64 {
        0.0
    }
}

/// True on every rank where it is true on any.
pub fn any(collective: &dyn Collective, flag: bool) -> bool {
    let mut count = [f64::from(u8::from(flag))];
    collective.sum_f64(&mut count);
    count[0] > 0.0
}

/// Fails on every rank where `result` is an error on any: on those that are well with the message of the first that is
/// not, and with [`Error::Stopped`] if nothing failed and one was only asked to stop. So no rank goes on alone and
/// waits.
///
/// # Errors
/// [`Error::OtherRank`], [`Error::Stopped`], or this rank's own error.
pub fn agree<T>(collective: &dyn Collective, result: Result<T>) -> Result<T> {
    let failed = !matches!(result, Ok(_) | Err(Error::Stopped));
    let mut counts = [f64::from(u8::from(failed)), f64::from(u8::from(result.is_err()))];
    collective.sum_f64(&mut counts);
    match counts {
        [0.0, 0.0] => return result,
        [0.0, _] => return Err(Error::Stopped),
        _ => {}
    }
    let message = result.as_ref().err().filter(|_| failed).map(ToString::to_string).unwrap_or_default();
    let messages = collective.gather_bytes(message.as_bytes());
    let first = messages.iter().enumerate().find(|(_, message)| !message.is_empty());
    match (result, first) {
        (Ok(_) | Err(Error::Stopped), Some((rank, message))) => {
            Err(Error::OtherRank { rank, message: String::from_utf8_lossy(message).into_owned() })
        }
        (result, _) => result,
    }
}

/// How many ranks share the cores that this one may use, itself included: those of this host with the same affinity. A
/// launcher that gives every rank cores of its own leaves each with all of them.
pub fn sharers(collective: &dyn Collective) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cores = status.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap_or_default();
    let here = [gethostname::gethostname().as_encoded_bytes(), b" ", cores.as_bytes()].concat();
    collective.gather_bytes(&here).iter().filter(|there| **there == here).count().max(1)
}
