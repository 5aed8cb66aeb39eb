//! The file that this program and a worker process share, in memory where the system has such a place.
//!
//! The worker maps it; here it is read and written as a file, so that no process that cuts it off, and no full memory,
//! can take this one down.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::protocol::{HEAD, Layout};

/// Rows that there is room for in one process.
pub(super) const ROWS: u16 = 4096;

/// Where Linux keeps files in memory.
const SHARED_MEMORY: &str = "/dev/shm";

pub(super) struct Segment {
    file: File,
    folder: PathBuf,
    layout: Layout,
}

impl Segment {
    /// A new file of this run's own, with the name under which the worker opens it.
    pub fn new(layout: Layout) -> io::Result<(Self, NamedTempFile)> {
        let memory = PathBuf::from(SHARED_MEMORY);
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let named = tempfile::Builder::new().prefix("stpn-envs-").tempfile_in(&folder)?;
        let file = named.reopen()?;
        // Without pages yet: rows get theirs when they are used.
        file.set_len(layout.start(ROWS))?;
        let segment = Self { file, folder, layout };
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
            let problem = format!(
                "{} has no room for {bytes} more bytes, which an environment shares with its process: {error}; make it \
                 larger, or take fewer environments (rollout.environments)",
                self.folder.display()
            );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Space;

    fn layout(observation: usize) -> Layout {
        Layout::new(&Space::boxed(0.0, 1.0, [observation]), &Space::discrete(2))
    }

    #[test]
    fn a_full_memory_is_said_before_it_is_touched() {
        let small = layout(4);
        // More than any machine has, of which only the numbers exist.
        let (segment, named) = Segment::new(Layout { stride: 1 << 48, ..small }).unwrap();
        let error = segment.reserve_row(3).unwrap_err().to_string();
        let folder = named.path().parent().unwrap().display().to_string();
        for said in [folder.as_str(), "no room for 281474976710656 more bytes", "rollout.environments"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        // Nothing was taken of it: another has room.
        let (segment, _named) = Segment::new(small).unwrap();
        segment.reserve_row(3).unwrap();
        segment.write(3, 8, b"action").unwrap();
        let mut read = [0; 6];
        segment.read(3, 8, &mut read).unwrap();
        assert_eq!(&read, b"action");
    }

    #[test]
    fn two_segments_are_never_one() {
        let ((one, name), (other, other_name)) = (Segment::new(layout(4)).unwrap(), Segment::new(layout(4)).unwrap());
        assert_ne!(name.path(), other_name.path());
        one.write(0, 0, b"mine").unwrap();
        other.write(0, 0, b"hers").unwrap();
        let mut read = [0; 4];
        one.read(0, 0, &mut read).unwrap();
        assert_eq!(&read, b"mine");
    }
}
