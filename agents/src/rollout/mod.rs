//! Rollouts: what the agents lived through, and the workers that live it.

pub mod again;
pub mod ahead;
pub mod failures;
mod finals;
pub mod fragment;
pub mod growth;
pub mod noise;
pub mod normalization;
pub mod observations;
pub mod on_device;
pub mod together;
pub mod watchdog;
pub mod worker;

pub use failures::FailureWatch;
pub use fragment::{Estimates, Fragment, FragmentShape};
pub use growth::GrowthWatch;
pub use noise::CorrelatedNoise;
pub use normalization::{Normalization, NormalizationConfig};
pub use observations::Observations;
pub use watchdog::Watchdog;
pub use worker::{Recompute, Worker};
