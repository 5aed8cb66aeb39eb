//! Comparing cells: matched networks over seeds, each a run of its own, and a table.

pub mod jobs;
pub mod plan;
pub mod results;
pub mod statistics;

pub use plan::{Plan, PlannedRun, RunState};
pub use results::Comparison;
