//! Comparing cells: matched networks over seeds, each a run of its own, and a table.

pub mod aggregate;
pub mod children;
pub mod figures;
pub mod files;
pub mod generalization;
pub mod jobs;
pub mod measure;
pub mod observer;
pub mod plan;
pub mod results;
pub mod statistics;
pub(crate) mod trial;

pub use generalization::GeneralizationCurves;
pub use observer::Observer;
pub use plan::{Plan, PlannedRun, RunState};
pub use results::Comparison;
