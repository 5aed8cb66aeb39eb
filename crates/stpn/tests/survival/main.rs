//! What a run survives: `kill -9`, a second process, a full disk.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../binary/mod.rs"]
mod binary;
mod disk;
mod events;
mod kill;
mod lock;
mod run;
