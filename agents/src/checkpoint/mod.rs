//! Checkpoints: directories that are complete or absent, verified before anything in them is used.
//!
//! `checkpoints/update-00000100/` holds `manifest.json` (format version, sizes and SHA-256 of every other file),
//! `config.toml`, `progress.json`, `parameters.safetensors`, `optimizer.safetensors` and
//! `workers-00000.safetensors` (environments, random streams, recurrent states). It is written aside, synced and
//! renamed; the pointer files `latest` and `best` move last.

pub mod manifest;
pub mod read;
pub mod staging;
pub mod tensors;
pub mod write;

pub use read::{Checkpoint, best, newest, read};
pub use write::write;

/// Version of the on-disk format.
pub const FORMAT: u32 = 2;

/// Name of the directory of the checkpoint after `update`.
pub fn directory_name(update: u64) -> String {
    format!("update-{update:08}")
}
