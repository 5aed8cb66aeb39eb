//! Checkpoints: directories that are complete or absent, verified before anything in them is used.
//!
//! `checkpoints/update-00000100/` holds `manifest.json` (format version, sizes and SHA-256 of every other file),
//! `config.toml`, `progress.json`, `parameters.safetensors`, `optimizer.safetensors`, `log.json` (what the logs carry
//! on) and `workers-00000.safetensors` (environments, random streams, recurrent states; one such file for every rank that
//! trained together). It is written aside, synced and renamed; the pointer files `latest` and `best` move last. An
//! exported agent has no optimiser, no log and no workers.

pub mod export;
pub mod manifest;
mod migrate;
pub mod read;
pub mod staging;
pub mod tensors;
pub mod write;

pub use export::export;
pub use read::{Checkpoint, best, find, newest, read, read_shard};
pub use write::{point_best, write, write_on_ranks};

/// Version of the on-disk format.
pub const FORMAT: u32 = 3;

/// The oldest version that is still read.
pub const OLDEST: u32 = 2;

/// Name of the directory of the checkpoint after `update`.
pub fn directory_name(update: u64) -> String {
    format!("update-{update:08}")
}

/// Name of the file with the environments of `rank`.
pub fn shard_name(rank: usize) -> String {
    format!("workers-{rank:05}.safetensors")
}
