//! The subcommands, one a file.

pub mod bench;
pub mod check_env;
pub mod compare;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod list;
pub mod play;
pub mod report;
pub mod reproduce;
pub mod resume;
pub mod train;

use anyhow::{Context, Result};

/// A pool of `threads` worker threads, 0 = one per core.
fn thread_pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start worker threads")
}
