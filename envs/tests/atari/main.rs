//! Atari games: the rules, exact continuation, and recordings of the Python packages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod environments;
mod python;
