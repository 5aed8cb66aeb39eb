//! Versions and names of what lies on the disk.

/// Version of the on-disk format.
pub const FORMAT: u32 = 4;

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
