//! The vector environment: auto-reset, episode statistics, saved state, failures, and independence of the grouping
//! and of the number of threads.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod countdown;
mod failures;
mod halves;
mod replacing;
mod stepping;
