//! Optimisation on one flat buffer of all parameters.

pub mod adam;
pub mod flat;
mod or_none;
pub mod schedule;

pub use adam::{Adam, AdamConfig};
pub use flat::FlatLayout;
pub use schedule::{Clock, Schedule};
