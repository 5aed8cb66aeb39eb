//! The file that this program and a worker process share, in memory where the system has such a place.
//!
//! The worker maps it; here it is read and written as a file, so that no process that cuts it off, and no full memory,
//! can take this one down.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::protocol::{HEAD, Layout};

/// Rows that there is room for in one process.
pub(super) const ROWS: u16 = 4096;

/// Where Linux keeps files in memory.
const SHARED_MEMORY: &str = "/dev/shm";

pub(super) struct Segment {
    file: File,
    layout: Layout,
}

impl Segment {
    /// A new file of this run's own, with the name under which the worker opens it.
    pub fn new(layout: Layout) -> io::Result<(Self, NamedTempFile)> {
        let folder = Path::new(SHARED_MEMORY);
        let mut builder = tempfile::Builder::new();
        builder.prefix("stpn-envs-");
        let named = match folder.is_dir() {
            true => builder.tempfile_in(folder)?,
            false => builder.tempfile()?,
        };
        let file = named.reopen()?;
        // Without pages yet: rows get theirs when they are used.
        file.set_len(layout.start(ROWS))?;
        let segment = Self { file, layout };
        segment.reserve(0, HEAD)?;
        Ok((segment, named))
    }

    /// Makes sure that there is memory for a row, before anybody touches it.
    pub fn reserve_row(&self, row: u16) -> io::Result<()> {
        self.reserve(self.layout.start(row), self.layout.stride)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, start: u64, bytes: usize) -> io::Result<()> {
        rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), start, bytes as u64).map_err(|error| {
            let problem = format!("{SHARED_MEMORY} has no room for {bytes} more bytes: {error}");
            io::Error::new(error.kind(), problem)
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, start: u64, bytes: usize) -> io::Result<()> {
        self.file.write_all_at(&vec![0; bytes], start)
    }

    pub fn write(&self, row: u16, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.layout.start(row) + at as u64)
    }

    pub fn read(&self, row: u16, at: usize, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, self.layout.start(row) + at as u64)
    }

    /// The row whose environment is or was called last.
    pub fn at_work(&self) -> Option<u16> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        u16::try_from(u32::from_le_bytes(bytes).checked_sub(1)?).ok()
    }
}
