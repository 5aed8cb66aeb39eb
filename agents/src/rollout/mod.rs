//! Rollouts: what the agents lived through, and the workers that live it.

pub mod failures;
pub mod fragment;
pub mod watchdog;
pub mod worker;

pub use failures::FailureWatch;
pub use fragment::Fragment;
pub use watchdog::Watchdog;
pub use worker::Worker;
