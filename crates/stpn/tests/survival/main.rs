//! What a run survives: `kill -9`, every other signal, a second process, a full disk, nobody who reads.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beginning;
#[path = "../binary/mod.rs"]
mod binary;
mod disk;
mod events;
mod interruption;
mod kill;
mod lock;
mod run;
