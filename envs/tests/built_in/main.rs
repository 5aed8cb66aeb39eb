//! The environments that every build has, the wrappers, and the vectors of them.
//!
//! One program: each one more would be linked with everything below it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod classic;
mod classic_gymnasium;
mod maze;
mod vector;
mod wrappers;
