//! The file that this program and a worker process share, in memory where the system has such a place.
//!
//! The worker maps it; here it is read and written as a file, so that no process that cuts it off, and no full memory,
//! can take this one down.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::protocol::{HEAD, Layout, Table};

/// Where Linux keeps files in memory.
const SHARED_MEMORY: &str = "/dev/shm";

pub(super) struct Segment {
    file: File,
    folder: PathBuf,
    layout: Layout,
}

/// How the worker opens the file, as long as there is this.
pub(super) struct Entrance {
    path: PathBuf,
    _named: Option<NamedTempFile>,
}

impl Entrance {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Segment {
    /// A new file of this run's own.
    pub fn new(layout: Layout) -> io::Result<(Self, Entrance)> {
        let memory = PathBuf::from(SHARED_MEMORY);
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let (file, entrance) = create(&folder)?;
        // Without pages yet: rows get theirs when they are used.
        file.set_len(layout.len())?;
        let segment = Self { file, folder, layout };
        segment.reserve(0, HEAD)?;
        Ok((segment, entrance))
    }

    /// Makes sure that there is memory for a row, before anybody touches it.
    pub fn reserve_row(&self, row: u16) -> io::Result<()> {
        self.layout.tables().iter().try_for_each(|table| self.reserve(table.at(row), table.stride))
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

    /// Writes to a table from a row's entry on.
    pub fn write(&self, table: Table, row: u16, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, table.at(row))
    }

    /// Reads of a table, from a byte of a row's entry on.
    pub fn read(&self, table: Table, row: u16, from: usize, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, table.at(row) + from as u64)
    }

    /// The row whose environment is or was called last.
    pub fn at_work(&self) -> Option<u16> {
        let mut bytes = [0; 4];
        self.file.read_exact_at(&mut bytes, 0).ok()?;
        u16::try_from(u32::from_le_bytes(bytes).checked_sub(1)?).ok()
    }
}

/// A file without a name, which therefore ends with the two processes even if they are killed; it is opened through
/// this process. Without a `/proc` it needs a name for a moment.
fn create(folder: &Path) -> io::Result<(File, Entrance)> {
    if cfg!(target_os = "linux") && Path::new("/proc/self/fd").is_dir() {
        let file = tempfile::tempfile_in(folder)?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        return Ok((file, Entrance { path: path.into(), _named: None }));
    }
    let named = tempfile::Builder::new().prefix("stpn-envs-").tempfile_in(folder)?;
    Ok((named.reopen()?, Entrance { path: named.path().into(), _named: Some(named) }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::Space;

    fn layout(observation: usize) -> Layout {
        Layout::new(&Space::boxed(0.0, 1.0, [observation]), &Space::discrete(2))
    }

    #[test]
    fn a_full_memory_is_said_before_it_is_touched() {
        let small = layout(4);
        // More than any machine has, of which only the numbers exist.
        let vast = Table { stride: 1 << 48, ..small.following };
        let (segment, _) = Segment::new(Layout { following: vast, ..small }).unwrap();
        let error = segment.reserve_row(3).unwrap_err().to_string();
        let folder = segment.folder.display().to_string();
        for said in [folder.as_str(), "no room for 281474976710656 more bytes", "rollout.environments"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        // Nothing was taken of it: another has room.
        let (segment, _) = Segment::new(small).unwrap();
        segment.reserve_row(3).unwrap();
        segment.write(small.incoming, 3, b"action").unwrap();
        let mut read = [0; 4];
        segment.read(small.incoming, 3, 2, &mut read).unwrap();
        assert_eq!(&read, b"tion");
    }

    #[test]
    fn a_file_had_a_name_that_a_kill_could_leave() {
        let (segment, entrance) = Segment::new(layout(4)).unwrap();
        if cfg!(target_os = "linux") {
            // Not even while the worker has yet to open it.
            assert_eq!(segment.file.metadata().unwrap().nlink(), 0);
        }
        let outgoing = layout(4).outgoing;
        segment.write(outgoing, 0, b"seen").unwrap();
        let through = std::fs::OpenOptions::new().read(true).write(true).open(entrance.path()).unwrap();
        let mut read = [0; 4];
        through.read_exact_at(&mut read, outgoing.at(0)).unwrap();
        assert_eq!(&read, b"seen");
    }

    #[test]
    fn two_segments_are_never_one() {
        let ((one, name), (other, other_name)) = (Segment::new(layout(4)).unwrap(), Segment::new(layout(4)).unwrap());
        assert_ne!(name.path(), other_name.path());
        let table = layout(4).outgoing;
        one.write(table, 0, b"mine").unwrap();
        other.write(table, 0, b"hers").unwrap();
        let mut read = [0; 4];
        one.read(table, 0, 0, &mut read).unwrap();
        assert_eq!(&read, b"mine");
    }
}
