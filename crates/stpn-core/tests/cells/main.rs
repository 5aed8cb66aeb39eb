//! The cells: gradients, resets, sequences against steps, recorded cases, configurations, the bits of their arithmetic.
//!
//! One program: each one more would be linked with everything below it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
mod convolution;
mod documented;
mod energy;
mod golden;
mod golden_cases;
mod gradients;
mod numerics;
mod overflow;
mod resets;
#[path = "../support/mod.rs"]
mod support;
