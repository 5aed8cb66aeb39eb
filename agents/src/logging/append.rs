//! A log file that holds whole records only, and whose failures never reach the training.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Most bytes that wait for a disk to become writable again; records beyond them are lost.
const MAX_WAITING: usize = 64 << 20;

/// Appends records to a file, each at once, so that what was logged survives the process.
///
/// Where the disk refuses, the file is set back to its last whole record, records wait in memory, and the next one
/// tries again: a disk that was full for a while leaves no gap.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole records.
    length: u64,
    waiting: Vec<u8>,
    failing: bool,
}

impl AppendFile {
    /// Opens `path`, made where it is absent, and cuts it to `length` bytes.
    pub fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(length)?;
        Ok(Self { path: path.to_path_buf(), file, length, waiting: Vec::new(), failing: false })
    }

    /// Creates `path`, which must be absent.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { path: path.to_path_buf(), file, length: 0, waiting: Vec::new(), failing: false })
    }

    /// Appends a record, or keeps it for later where the disk refuses.
    pub fn append(&mut self, record: &[u8]) {
        if self.waiting.len() + record.len() > MAX_WAITING {
            tracing::warn!("{}: too much waits for the disk; an entry is lost", self.path.display());
            return;
        }
        self.waiting.extend_from_slice(record);
        self.write_waiting();
    }

    /// Makes what was appended survive a power cut, as far as the disk allows.
    pub fn sync(&mut self) {
        self.write_waiting();
        if let (false, Err(error)) = (self.failing, self.file.sync_data()) {
            tracing::warn!("cannot sync {}: {error}", self.path.display());
        }
    }

    fn write_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.file.write_all(&self.waiting) {
            Ok(()) => {
                self.length += self.waiting.len() as u64;
                self.waiting.clear();
                if std::mem::take(&mut self.failing) {
                    tracing::warn!("{}: writable again, nothing was lost", self.path.display());
                }
            }
            Err(error) => {
                // Whatever part of the records was written goes; a cut needs no space.
                let _ = self.file.set_len(self.length);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("cannot write {}: {error}: training goes on, the log waits", self.path.display());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_cuts_what_is_beyond_and_appends_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        let mut log = AppendFile::open(&path, 8).unwrap();
        log.append(b"three\n");
        log.sync();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        assert!(AppendFile::create(&path).is_err(), "a file that exists is not overwritten");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_refuses_costs_no_entry_and_no_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = AppendFile::open(&path, 0).unwrap();
        log.append(b"one\n");
        // Writing to it fails as on a full disk.
        let good = std::mem::replace(&mut log.file, OpenOptions::new().write(true).open("/dev/full").unwrap());
        log.append(b"two\n");
        log.append(b"three\n");
        log.sync();
        assert!(log.failing);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        log.file = good;
        log.append(b"four\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\nfour\n");
        assert!(!log.failing && log.waiting.is_empty());
    }
}
