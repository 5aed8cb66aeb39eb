//! What a run survives: damaged checkpoints, sick environments, full disks.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod damage;
mod migration;
mod misplaced;
mod random_damage;
mod sick;
mod small;
