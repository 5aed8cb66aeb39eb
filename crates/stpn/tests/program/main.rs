//! The real binary: commands, comparisons, reports, resuming, and what the repository ships.
//!
//! One program: each one more would be linked with everything below it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../binary/mod.rs"]
mod binary;
mod command_line;
mod compare;
mod cuda;
mod exact_resume;
mod figures;
mod report;
mod resume_changes;
mod suite;
mod trained_agents;
