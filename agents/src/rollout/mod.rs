//! Rollouts: what the agents lived through, and the workers that live it.

pub mod fragment;
pub mod worker;

pub use fragment::Fragment;
pub use worker::Worker;
