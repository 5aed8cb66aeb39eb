//! TensorBoard event files, in tensorboard-rs's records, written without a thread in between: what was logged is in the
//! file, and a failing log never stops a training.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protobuf::wire_format::WireType;
use protobuf::{CodedInputStream, Message, ProtobufResult, RepeatedField};
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::{Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;
use tensorboard_rs::record_writer::RecordWriter;

use super::append::AppendFile;
use super::{Histogram, hparams, record};
use crate::metrics::Metrics;
use crate::{Error, Result};

/// Field numbers of an event.
const STEP: u32 = 2;
const SUMMARY: u32 = 5;

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
        let mut version = Event::new();
        version.set_file_version("brain.Event:2".to_string());
        log.event(0, version);
        if let Some(env_steps) = env_steps {
            // A TensorBoard that already shows what was cut forgets it on reading this.
            let mut session = SessionLog::new();
            session.set_status(SessionLog_SessionStatus::START);
            let mut start = Event::new();
            start.set_session_log(session);
            log.event(env_steps + 1, start);
        }
        Ok(log)
    }

    /// Writes all scalars of an update as one event.
    pub fn scalars(&mut self, env_steps: u64, metrics: &Metrics) {
        let values = metrics.iter().map(|(name, value)| {
            let mut entry = Summary_Value::new();
            entry.set_tag(name.to_string());
            entry.set_simple_value(value as f32);
            entry
        });
        self.summary(env_steps, values.collect());
    }

    /// Writes one histogram per name.
    pub fn histograms(&mut self, env_steps: u64, histograms: &[(String, Histogram)]) {
        let values = histograms.iter().map(|(name, histogram)| {
            let mut proto = tensorboard_proto::summary::HistogramProto::new();
            proto.set_min(histogram.min);
            proto.set_max(histogram.max);
            proto.set_num(histogram.count);
            proto.set_sum(histogram.sum);
            proto.set_sum_squares(histogram.sum_squares);
            proto.set_bucket_limit(histogram.limits.clone());
            proto.set_bucket(histogram.counts.clone());
            let mut entry = Summary_Value::new();
            entry.set_tag(name.clone());
            entry.set_histo(proto);
            entry
        });
        self.summary(env_steps, values.collect());
    }

    /// Writes a text (Markdown), which tensorboard-rs itself does not offer.
    pub fn text(&mut self, env_steps: u64, name: &str, text: &str) {
        let mut tensor = TensorProto::new();
        tensor.set_dtype(DataType::DT_STRING);
        tensor.set_string_val(RepeatedField::from_vec(vec![text.as_bytes().to_vec()]));
        let mut plugin = SummaryMetadata_PluginData::new();
        plugin.set_plugin_name("text".to_string());
        let mut metadata = SummaryMetadata::new();
        metadata.set_plugin_data(plugin);
        let mut entry = Summary_Value::new();
        entry.set_tag(format!("{name}/text_summary"));
        entry.set_metadata(metadata);
        entry.set_tensor(tensor);
        self.summary(env_steps, vec![entry]);
    }

    /// Tells the settings of a run that starts, for TensorBoard's page of hyperparameters.
    pub fn hyperparameters(&mut self, settings: &[(String, toml::Value)]) {
        self.encoded(0, hparams::session_start(settings, since_epoch().as_secs_f64()));
    }

    /// Tells the same page that the run came to its end.
    pub fn finished(&mut self, env_steps: u64) {
        self.encoded(env_steps, hparams::session_end(since_epoch().as_secs_f64()));
    }

    /// Marks that what follows is not of an update, and goes when the run is resumed at `env_steps`.
    pub fn epilogue(&mut self, env_steps: u64) {
        let mut session = SessionLog::new();
        session.set_status(SessionLog_SessionStatus::STOP);
        let mut mark = Event::new();
        mark.set_session_log(session);
        self.event(env_steps + 1, mark);
    }

    /// Makes the events so far survive a power cut: a checkpoint must not be ahead of them.
    pub fn sync(&mut self) {
        self.file.sync();
    }

    fn encoded(&mut self, env_steps: u64, value: ProtobufResult<Summary_Value>) {
        match value {
            Ok(value) => self.summary(env_steps, vec![value]),
            Err(error) => tracing::warn!("an event could not be encoded and is lost: {error}"),
        }
    }

    fn summary(&mut self, env_steps: u64, values: Vec<Summary_Value>) {
        let mut summary = Summary::new();
        summary.set_value(RepeatedField::from_vec(values));
        let mut event = Event::new();
        event.set_summary(summary);
        self.event(env_steps, event);
    }

    fn event(&mut self, env_steps: u64, mut event: Event) {
        event.set_wall_time(since_epoch().as_secs_f64());
        event.set_step(i64::try_from(env_steps).unwrap_or(i64::MAX));
        let mut bytes = Vec::new();
        let written = event
            .write_to_bytes()
            .map_err(|error| error.to_string())
            .and_then(|event| RecordWriter::new(&mut bytes).write(&event).map_err(|error| error.to_string()));
        match written {
            Ok(()) => self.file.append(&bytes),
            Err(error) => tracing::warn!("an event could not be encoded and is lost: {error}"),
        }
    }
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
    if !record::records(&contents[..kept]).any(|record| glance(record).is_some_and(|event| event.summary)) {
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

/// What resuming looks at in an event.
struct Glance {
    step: u64,
    summary: bool,
}

/// Reads an event's own fields and nothing inside them; groups, which nest, have no place in one.
fn glance(record: &[u8]) -> Option<Glance> {
    let mut input = CodedInputStream::from_bytes(record);
    let mut glance = Glance { step: 0, summary: false };
    while !input.eof().ok()? {
        match input.read_tag_unpack().ok()? {
            (STEP, WireType::WireTypeVarint) => glance.step = u64::try_from(input.read_int64().ok()?).ok()?,
            (_, WireType::WireTypeStartGroup | WireType::WireTypeEndGroup) => return None,
            (field, wire) => {
                glance.summary |= field == SUMMARY;
                input.skip_field(wire).ok()?;
            }
        }
    }
    Some(glance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of all summaries, file after file.
    fn steps(directory: &Path) -> Vec<u64> {
        let files = event_files(directory).unwrap();
        let contents: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        let events = contents.iter().flat_map(|contents| record::records(contents));
        let events = events.map(|record| Event::parse_from_bytes(record).unwrap());
        events.filter(Event::has_summary).map(|event| event.step as u64).collect()
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
