//! TensorBoard event files, written without a thread in between: what was logged is in the file, and a failing log never
//! stops a training.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::Message;

use super::append::AppendFile;
use super::messages::{
    DataType, Event, Glance, HistogramProto, PluginData, SessionLog, SessionStatus, Shown, Summary, SummaryMetadata,
    SummaryValue, TensorProto, What,
};
use super::{Histogram, hparams, record};
use crate::metrics::Metrics;
use crate::{Error, Result};

/// The open event file of a run; the x-axis is environment steps, or epochs of a supervised task.
pub struct EventLog {
    file: AppendFile,
}

impl EventLog {
    /// Opens a new event file in `directory`, after removing what earlier ones hold beyond `env_steps`: all of it
    /// where `None`.
    ///
    /// # Errors
    /// [`Error::Io`] if an earlier file cannot be read or cut, or none can be made.
    pub fn open(directory: &Path, env_steps: Option<u64>) -> Result<Self> {
        let earlier = event_files(directory)?;
        for path in &earlier {
            cut(path, env_steps)?;
        }
        let file = create(directory, &earlier)?;
        let mut log = Self { file };
        log.event(0, What::FileVersion("brain.Event:2".to_string()));
        if let Some(env_steps) = env_steps {
            // A TensorBoard that already shows what was cut forgets it on reading this.
            log.event(env_steps + 1, session(SessionStatus::Start));
        }
        Ok(log)
    }

    /// Writes all scalars of an update as one event.
    pub fn scalars(&mut self, env_steps: u64, metrics: &Metrics) {
        let values = metrics.iter().map(|(name, value)| SummaryValue {
            tag: name.to_string(),
            metadata: None,
            value: Some(Shown::Scalar(value as f32)),
        });
        self.summary(env_steps, values.collect());
    }

    /// Writes one histogram per name.
    pub fn histograms(&mut self, env_steps: u64, histograms: &[(String, Histogram)]) {
        let values = histograms.iter().map(|(name, histogram)| {
            let proto = HistogramProto {
                min: histogram.min,
                max: histogram.max,
                num: histogram.count,
                sum: histogram.sum,
                sum_squares: histogram.sum_squares,
                bucket_limit: histogram.limits.clone(),
                bucket: histogram.counts.clone(),
            };
            SummaryValue { tag: name.clone(), metadata: None, value: Some(Shown::Histogram(proto)) }
        });
        self.summary(env_steps, values.collect());
    }

    /// Writes a text (Markdown).
    pub fn text(&mut self, env_steps: u64, name: &str, text: &str) {
        let tensor = TensorProto {
            dtype: DataType::String.into(),
            string_val: vec![text.as_bytes().to_vec()],
            ..TensorProto::default()
        };
        let plugin = PluginData { plugin_name: "text".to_string(), content: Vec::new() };
        let entry = SummaryValue {
            tag: format!("{name}/text_summary"),
            metadata: Some(SummaryMetadata { plugin_data: Some(plugin) }),
            value: Some(Shown::Tensor(tensor)),
        };
        self.summary(env_steps, vec![entry]);
    }

    /// Tells the settings of a run that starts, for TensorBoard's page of hyperparameters.
    pub fn hyperparameters(&mut self, settings: &[(String, toml::Value)]) {
        self.summary(0, vec![hparams::session_start(settings, since_epoch().as_secs_f64())]);
    }

    /// Tells the same page that the run came to its end.
    pub fn finished(&mut self, env_steps: u64) {
        self.summary(env_steps, vec![hparams::session_end(since_epoch().as_secs_f64())]);
    }

    /// Marks that what follows is not of an update, and goes when the run is resumed at `env_steps`.
    pub fn epilogue(&mut self, env_steps: u64) {
        self.event(env_steps + 1, session(SessionStatus::Stop));
    }

    /// Makes the events so far survive a power cut: a checkpoint must not be ahead of them.
    pub fn sync(&mut self) {
        self.file.sync();
    }

    fn summary(&mut self, env_steps: u64, value: Vec<SummaryValue>) {
        self.event(env_steps, What::Summary(Summary { value }));
    }

    fn event(&mut self, env_steps: u64, what: What) {
        let event = Event {
            wall_time: since_epoch().as_secs_f64(),
            step: i64::try_from(env_steps).unwrap_or(i64::MAX),
            what: Some(what),
        };
        self.file.append(&record::framed(&event.encode_to_vec()));
    }
}

fn session(status: SessionStatus) -> What {
    What::SessionLog(SessionLog { status: status.into() })
}

fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The event files in `directory`, in TensorBoard's order: that of their names.
fn event_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("cannot list", directory))? {
        let path = entry.map_err(Error::io("cannot list", directory))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains("tfevents")) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// A new file after all of `earlier`, whose names begin with the second in which they were made: TensorBoard reads
/// them in the order of their names. Its own second is a later one, also when several are made within one, or the
/// clock went back.
fn create(directory: &Path, earlier: &[PathBuf]) -> Result<AppendFile> {
    let second = |path: &PathBuf| path.file_name()?.to_str()?.split('.').nth(3)?.parse::<u64>().ok();
    let newest = earlier.iter().filter_map(second).max();
    let second = since_epoch().as_secs().max(newest.map_or(0, |newest| newest.saturating_add(1)));
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let path = directory.join(format!("events.out.tfevents.{second:010}.{host}.{}.0", std::process::id()));
    AppendFile::create(&path).map_err(Error::io("cannot create", &path))
}

/// Cuts an event file after its last whole event of at most `env_steps`; removes one that then shows nothing.
fn cut(path: &Path, env_steps: Option<u64>) -> Result<()> {
    let contents = fs::read(path).map_err(Error::io("cannot read", path))?;
    let kept = env_steps.map_or(0, |env_steps| kept_bytes(&contents, env_steps));
    if !record::records(&contents[..kept]).any(|record| glance(record).is_some_and(|event| event.summary.is_some())) {
        return fs::remove_file(path).map_err(Error::io("cannot remove", path));
    }
    if kept < contents.len() {
        let file = OpenOptions::new().write(true).open(path).map_err(Error::io("cannot open", path))?;
        file.set_len(kept as u64).map_err(Error::io("cannot cut", path))?;
    }
    Ok(())
}

/// Bytes of the whole leading records whose step is at most `env_steps`.
pub fn kept_bytes(contents: &[u8], env_steps: u64) -> usize {
    record::records(contents)
        .take_while(|record| glance(record).is_some_and(|event| event.step <= env_steps))
        .map(record::framed_len)
        .sum()
}

/// Reads an event's own fields and nothing inside them.
fn glance(record: &[u8]) -> Option<Glance> {
    Glance::decode(record).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of all summaries, file after file.
    fn steps(directory: &Path) -> Vec<u64> {
        let files = event_files(directory).unwrap();
        let contents: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        let events = contents.iter().flat_map(|contents| record::records(contents));
        let events = events.map(|record| Event::decode(record).unwrap());
        events.filter(|event| matches!(event.what, Some(What::Summary(_)))).map(|event| event.step as u64).collect()
    }

    fn write(log: &mut EventLog, steps: impl Iterator<Item = u64>) {
        let mut metrics = Metrics::default();
        metrics.set("charts/episodic_return", 1.0);
        steps.for_each(|step| log.scalars(step * 100, &metrics));
    }

    #[test]
    fn resuming_leaves_no_double_entry_and_no_gap() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(directory.path(), None).unwrap();
        write(&mut log, 1..=5);
        log.file.append(&[9, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        // The first process is still there, as one that hangs in its exit would be.
        let mut resumed = EventLog::open(directory.path(), Some(300)).unwrap();
        write(&mut resumed, 4..=6);
        assert_eq!(steps(directory.path()), [100, 200, 300, 400, 500, 600]);
    }

    #[test]
    fn restarts_within_one_second_and_one_pid_lost_events() {
        let directory = tempfile::tempdir().unwrap();
        write(&mut EventLog::open(directory.path(), None).unwrap(), 1..=1);
        for step in 1..10 {
            write(&mut EventLog::open(directory.path(), Some(step * 100)).unwrap(), step + 1..=step + 3);
        }
        let expected: Vec<u64> = (1..=12).map(|step| step * 100).collect();
        assert_eq!(steps(directory.path()), expected, "in the order of the files' names");
    }

    #[test]
    fn a_run_that_begins_again_leaves_no_earlier_event() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(directory.path(), None).unwrap();
        log.text(0, "config", "seed = 1");
        write(&mut log, 1..=3);
        let mut log = EventLog::open(directory.path(), None).unwrap();
        log.text(0, "config", "seed = 1");
        write(&mut log, 1..=2);
        assert_eq!(steps(directory.path()), [0, 100, 200]);
    }

    #[test]
    fn a_flipped_bit_ends_an_event_file_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = EventLog::open(directory.path(), None).unwrap();
        write(&mut log, 1..=3);
        let contents = fs::read(&event_files(directory.path()).unwrap()[0]).unwrap();
        let ends: Vec<usize> = (0..=3).map(|step| kept_bytes(&contents, step * 100)).collect();
        assert_eq!(ends[3], contents.len());
        for bit in 0..contents.len() * 8 {
            let mut damaged = contents.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let kept = kept_bytes(&damaged, 300);
            let whole = ends.iter().copied().filter(|&end| end <= bit / 8).max().unwrap_or(0);
            assert_eq!(kept, whole, "bit {bit}");
        }
    }
}
