//! `metrics.jsonl`: one JSON object per logged update.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::append::AppendFile;
use crate::checkpoint::staging;
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
    /// Opens `path` to continue after `update`: complete lines up to it stay, all others and a tail go. If lines that
    /// stay follow a damaged one, the file as it was is kept beside it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or cut.
    pub fn open(path: &Path, update: u64) -> Result<Self> {
        let read = |file| sound_lines(&mut BufReader::new(file), update).map_err(Error::io("cannot read", path));
        let kept = match File::open(path).map(read) {
            Ok(found) => {
                let Sound { prefix, behind_damage } = found?;
                if behind_damage.is_empty() { prefix } else { mend(path, prefix, &behind_damage)? }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if update > 0 {
                    tracing::warn!("{}: is missing; the log goes on after update {update}", path.display());
                }
                0
            }
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

/// The lines that stay when a log goes on.
#[derive(Debug, PartialEq)]
pub struct Sound {
    /// Bytes of those up to the first that does not stay.
    pub prefix: u64,
    /// The lines that stay behind a damaged one.
    pub behind_damage: Vec<u8>,
}

/// The complete lines whose update is at most `update`, without a tail.
///
/// # Errors
/// Fails if `reader` does.
pub fn sound_lines(reader: &mut impl BufRead, update: u64) -> std::io::Result<Sound> {
    let mut sound = Sound { prefix: 0, behind_damage: Vec::new() };
    let (mut whole, mut line) = (true, Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(sound);
        }
        let complete = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) if complete && parsed.update <= update && !parsed.tail => match whole {
                true => sound.prefix += line.len() as u64,
                false => sound.behind_damage.extend_from_slice(&line),
            },
            // What a later process logged goes with all that follows it.
            Ok(_) if complete => return Ok(sound),
            _ => whole = false,
        }
    }
}

/// Leaves a damaged log with its sound lines alone, and the file as it was beside it; returns its new length.
fn mend(path: &Path, prefix: u64, behind_damage: &[u8]) -> Result<u64> {
    let contents = fs::read(path).map_err(Error::io("cannot read", path))?;
    let beside = path.with_extension("jsonl.damaged");
    staging::replace(&beside, &contents)?;
    let whole = usize::try_from(prefix).unwrap_or(contents.len()).min(contents.len());
    let sound = [&contents[..whole], behind_damage].concat();
    staging::replace(path, &sound)?;
    tracing::warn!(
        "{}: has damaged lines, which are left out; the file as it was is {}",
        path.display(),
        beside.display()
    );
    Ok(sound.len() as u64)
}

/// The update of the last sound line of the log at `path`; none if there is no such file or line.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn last_update(path: &Path) -> Result<Option<u64>> {
    let contents = match fs::read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("cannot read", path)(error)),
    };
    let parsed = |line: &[u8]| serde_json::from_slice::<Line>(line).ok().map(|line| line.update);
    Ok(contents.split(|&byte| byte == b'\n').rev().find_map(parsed))
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
        let text = fs::read_to_string(&path).unwrap();
        let updates: Vec<u64> = text.lines().map(|line| serde_json::from_str::<Line>(line).unwrap().update).collect();
        assert_eq!(updates, [1, 2, 3, 4, 5, 6]);
        assert!(text.contains("\"charts/episodic_return\":3.1"));
    }

    #[test]
    fn a_damaged_line_took_all_later_ones_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        (1..=6).for_each(|update| write(&mut log, update));
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let damaged = text.replace(lines[1], &lines[1][..9]);
        fs::write(&path, &damaged).unwrap();
        let mut log = MetricsLog::open(&path, 5).unwrap();
        write(&mut log, 6);
        let mended = fs::read_to_string(&path).unwrap();
        assert_eq!(mended.lines().collect::<Vec<_>>(), [lines[0], lines[2], lines[3], lines[4], lines[5]]);
        assert_eq!(fs::read_to_string(path.with_extension("jsonl.damaged")).unwrap(), damaged);
        assert_eq!(last_update(&path).unwrap(), Some(6));
        assert_eq!(last_update(&directory.path().join("absent")).unwrap(), None);
    }

    #[test]
    fn a_tail_goes_when_the_log_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0).unwrap();
        write(&mut log, 5);
        log.write(&[("update", 7)], Entry::Tail(2), &Metrics::default());
        let kept = fs::read_to_string(&path).unwrap().lines().next().unwrap().to_string() + "\n";
        MetricsLog::open(&path, 7).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), kept);
    }
}
