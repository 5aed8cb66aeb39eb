//! The MuJoCo tasks by themselves, and against Gymnasium's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod environments;
mod gymnasium;
