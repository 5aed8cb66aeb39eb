//! Rollouts: what the agents lived through, and the workers that live it.

pub mod fragment;
pub mod watchdog;
pub mod worker;

pub use fragment::Fragment;
pub use watchdog::Watchdog;
pub use worker::Worker;
