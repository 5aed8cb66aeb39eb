//! `metrics.jsonl`: one JSON object per logged update.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::append::AppendFile;
use crate::metrics::Metrics;
use crate::{Error, Result};

/// The open file. A disk that fails later is warned of and costs no training.
#[derive(Debug)]
pub struct MetricsLog {
    file: AppendFile,
}

/// The fields a resumed log looks at.
#[derive(Deserialize)]
struct Line {
    update: u64,
    /// True of what was left over where a process ended: a resumed run goes on adding to it.
    #[serde(default)]
    tail: bool,
}

/// How an entry came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It was due, and is of so many updates; 0 for a measurement by itself.
    Due(u64),
    /// So many updates were left over where the process ended.
    Tail(u64),
}

impl MetricsLog {
    /// Opens `path` to continue after `update`: complete lines up to it stay, all others and a tail go.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or cut.
    pub fn open(path: &Path, update: u64) -> Result<Self> {
        let kept = match File::open(path) {
            Ok(file) => kept_bytes(&mut BufReader::new(file), update).map_err(Error::io("cannot read", path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::io("cannot open", path)(error)),
        };
        Ok(Self { file: AppendFile::open(path, kept).map_err(Error::io("cannot write", path))? })
    }

    /// Appends one entry's line, which begins with `counters`; one of them must be `update`.
    pub fn write(&mut self, counters: &[(&str, u64)], entry: Entry, metrics: &Metrics) {
        let mut object = serde_json::Map::new();
        for (name, value) in counters {
            object.insert((*name).into(), (*value).into());
        }
        let (Entry::Due(updates) | Entry::Tail(updates)) = entry;
        object.insert("updates".into(), updates.into());
        if matches!(entry, Entry::Tail(_)) {
            object.insert("tail".into(), true.into());
        }
        for (name, value) in metrics.iter() {
            object.insert(name.into(), value.into());
        }
        self.file.append(format!("{}\n", serde_json::Value::Object(object)).as_bytes());
    }

    /// Makes the lines so far survive a power cut: a checkpoint must not be ahead of them.
    pub fn sync(&mut self) {
        self.file.sync();
    }
}

/// Bytes of the complete lines whose update is at most `update`, without a tail.
pub fn kept_bytes(reader: &mut impl BufRead, update: u64) -> std::io::Result<u64> {
    let (mut kept, mut line) = (0u64, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        let complete = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) if complete && parsed.update <= update && !parsed.tail => kept += read as u64,
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
        log.write(&[("update", update)], Entry::Due(1), &metrics);
    }

    #[test]
    fn resuming_drops_later_and_torn_lines_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        (1..=5).for_each(|update| write(&mut log, update));
        log.file.append(b"{\"update\":6,\"env_st");
        let mut log = MetricsLog::open(&path, 3).unwrap();
        (4..=6).for_each(|update| write(&mut log, update));
        let text = std::fs::read_to_string(&path).unwrap();
        let updates: Vec<u64> = text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap().update).collect();
        assert_eq!(updates, [1, 2, 3, 4, 5, 6]);
        assert!(text.contains("\"charts/episodic_return\":3.1"));
    }

    #[test]
    fn a_tail_goes_when_the_log_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        write(&mut log, 5);
        log.write(&[("update", 7)], Entry::Tail(2), &Metrics::default());
        let kept = std::fs::read_to_string(&path).unwrap().lines().next().unwrap().to_string() + "\n";
        MetricsLog::open(&path, 7).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
    }
}
