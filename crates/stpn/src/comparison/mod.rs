//! Comparing cells: matched networks over seeds, each a run of its own, and a table.
//!
//! Runs are processes of the present program, which must have the command line therefore
//! ([`crate::cli::main_with`]); while they run, interrupts and requests to end are listened to and passed on.

pub mod across;
pub mod aggregate;
pub mod children;
pub mod figures;
pub mod files;
pub mod generalization;
pub mod jobs;
pub mod measure;
pub mod observer;
pub mod plan;
pub mod profiles;
pub mod results;
pub mod statistics;
pub mod suite;
pub(crate) mod trial;

pub use across::{Across, OnTask};
pub use generalization::GeneralizationCurves;
pub use observer::Observer;
pub use plan::{Plan, PlannedRun, RunState};
pub use results::Comparison;
