//! Rollouts: what the agents lived through, and the workers that live it.

pub mod fragment;
pub mod normalization;
pub mod observations;
pub mod worker;

pub use fragment::{Fragment, FragmentShape};
pub use normalization::{Normalization, NormalizationConfig};
pub use observations::Observations;
pub use worker::Worker;
