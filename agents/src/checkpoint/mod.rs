//! Checkpoints: directories that are complete or absent, verified before anything in them is used.
//!
//! `checkpoints/update-00000100/` holds `manifest.json` (format version, sizes and SHA-256 of every other file),
//! `config.toml`, `progress.json`, `parameters.safetensors`, `optimizer.safetensors`, `log.json` (what the logs carry
//! on) and `workers-00000.safetensors` (environments, random streams, recurrent states; one such file for every rank
//! that trained together). It is written aside, synced and renamed; the pointer files `latest` and `best` move last.
//! An exported agent has no optimiser, no log and no workers.

pub mod export;
pub mod manifest;
mod migrate;
mod names;
pub mod read;
pub mod staging;
pub mod tensors;
pub mod write;

pub use export::{copy, copy_run, export};
pub use migrate::saved as saved_config;
pub use names::{FORMAT, OLDEST, directory_name, shard_name};
pub use read::{Checkpoint, best, best_of_run, find, newest, read, read_shard};
pub use write::{point_best, write, write_on_ranks};
