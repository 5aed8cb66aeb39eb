//! The vector environment: auto-reset, episode statistics, saved state, failures, and independence of the grouping
//! and of the number of threads.

mod countdown;
mod failures;
mod halves;
mod replacing;
mod stepping;
