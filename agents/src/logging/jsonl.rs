//! `metrics.jsonl`: one JSON object per logged update.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::metrics::Metrics;
use crate::{Error, Result};

/// The open file.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

/// The one field a resumed log looks at.
#[derive(Deserialize)]
struct Line {
    update: u64,
}

impl MetricsLog {
    /// Opens `path` to continue after `update`: complete lines up to it stay, all others go.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened or cut.
    pub fn open(path: &Path, update: u64) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path).map_err(Error::io("cannot open", path))?;
        let kept = kept_bytes(&file, update).map_err(Error::io("cannot read", path))?;
        file.set_len(kept).map_err(Error::io("cannot cut", path))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends one update's line, which begins with `counters`; one of them must be `update`.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn write(&mut self, counters: &[(&str, u64)], metrics: &Metrics) -> Result<()> {
        let mut object = serde_json::Map::new();
        for (name, value) in counters {
            object.insert((*name).into(), (*value).into());
        }
        for (name, value) in metrics.iter() {
            object.insert(name.into(), value.into());
        }
        let line = format!("{}\n", serde_json::Value::Object(object));
        self.file.write_all(line.as_bytes()).map_err(Error::io("cannot write", &self.path))
    }
}

/// Bytes of the complete lines whose update is at most `update`.
fn kept_bytes(file: &File, update: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut kept, mut line) = (0u64, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let complete = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) if complete && parsed.update <= update => kept += read as u64,
            _ => return Ok(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(log: &mut MetricsLog, update: u64) {
        let mut metrics = Metrics::default();
        metrics.set("charts/episodic_return", 0.1 + update as f64);
        log.write(&[("update", update)], &metrics).unwrap();
    }

    #[test]
    fn resuming_drops_later_and_torn_lines_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        (1..=5).for_each(|update| write(&mut log, update));
        log.file.write_all(b"{\"update\":6,\"env_st").unwrap();
        let mut log = MetricsLog::open(&path, 3).unwrap();
        (4..=6).for_each(|update| write(&mut log, update));
        let text = std::fs::read_to_string(&path).unwrap();
        let updates: Vec<u64> = text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap().update).collect();
        assert_eq!(updates, [1, 2, 3, 4, 5, 6]);
        assert!(text.contains("\"charts/episodic_return\":3.1"));
    }
}
