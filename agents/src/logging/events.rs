//! TensorBoard event files, by tensorboard-rs, wrapped so that a failing log never stops a training.

use std::fs::{self, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use protobuf::{Message, RepeatedField};
use tensorboard_proto::event::Event;
use tensorboard_proto::summary::{Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::types::DataType;
use tensorboard_rs::summary_writer::FileWriter;

use super::Histogram;
use crate::metrics::Metrics;
use crate::{Error, Result};

/// Part of the name of every event file.
const MARK: &str = "tfevents";

/// The open event file of a run; the x-axis is environment steps, or epochs of a supervised task.
pub struct EventLog {
    directory: PathBuf,
    writer: Option<FileWriter>,
}

impl EventLog {
    /// Opens a new event file in `directory`, after removing what earlier files hold beyond `env_steps`.
    ///
    /// # Errors
    /// [`Error::Io`] where an earlier file cannot be read or cut.
    pub fn open(directory: &Path, env_steps: u64) -> Result<Self> {
        let listing = fs::read_dir(directory).map_err(Error::io("cannot list", directory))?;
        for entry in listing {
            let path = entry.map_err(Error::io("cannot list", directory))?.path();
            if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains(MARK)) {
                cut(&path, env_steps)?;
            }
        }
        let mut log = Self { directory: directory.to_path_buf(), writer: None };
        log.writer = attempt(&log.directory, || FileWriter::new(directory));
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

    fn summary(&mut self, env_steps: u64, values: Vec<Summary_Value>) {
        let Some(mut writer) = self.writer.take() else { return };
        let mut summary = Summary::new();
        summary.set_value(RepeatedField::from_vec(values));
        self.writer = attempt(&self.directory, move || {
            writer.add_summary(summary, env_steps as usize);
            writer.flush();
            writer
        });
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let writer = self.writer.take();
        // Dropping joins the writer's thread, which panics where its disk failed.
        let _ = attempt(&self.directory, move || drop(writer));
    }
}

/// Runs `work`, in which tensorboard-rs panics on I/O errors; a failure ends this log and not the training.
fn attempt<T>(directory: &Path, work: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        tracing::warn!("cannot write TensorBoard events to {}: going on without them", directory.display());
    }
    result.ok()
}

/// Cuts an event file after its last whole event of at most `env_steps`.
fn cut(path: &Path, env_steps: u64) -> Result<()> {
    let contents = fs::read(path).map_err(Error::io("cannot read", path))?;
    let kept = kept_bytes(&contents, env_steps);
    if kept < contents.len() {
        let file = OpenOptions::new().write(true).open(path).map_err(Error::io("cannot open", path))?;
        file.set_len(kept as u64).map_err(Error::io("cannot cut", path))?;
    }
    Ok(())
}

/// Bytes of the whole leading records whose step is at most `env_steps`. A record is its length (u64), a checksum
/// (u32), the event, and a checksum (u32).
fn kept_bytes(contents: &[u8], env_steps: u64) -> usize {
    let mut kept = 0;
    while let Some(length) = contents.get(kept..kept + 8).and_then(|bytes| bytes.try_into().ok()) {
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        let end = kept.saturating_add(12).saturating_add(length);
        let Some(event) = contents.get(kept + 12..end) else { break };
        let sound = Event::parse_from_bytes(event).is_ok_and(|event| event.step as u64 <= env_steps);
        if !sound || contents.len() < end + 4 {
            break;
        }
        kept = end + 4;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(directory: &Path) -> Vec<u64> {
        let mut steps = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let contents = fs::read(entry.unwrap().path()).unwrap();
            let mut at = 0;
            while at < contents.len() {
                let length = u64::from_le_bytes(contents[at..at + 8].try_into().unwrap()) as usize;
                let event = Event::parse_from_bytes(&contents[at + 12..at + 12 + length]).unwrap();
                if event.has_summary() {
                    steps.push(event.step as u64);
                }
                at += 16 + length;
            }
        }
        steps.sort_unstable();
        steps
    }

    #[test]
    fn resuming_leaves_no_double_entry_and_no_gap() {
        let directory = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::default();
        metrics.set("charts/episodic_return", 1.0);
        let mut log = EventLog::open(directory.path(), 0).unwrap();
        (1..=5).for_each(|step| log.scalars(step * 100, &metrics));
        drop(log);
        let file = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let mut torn = fs::read(&file).unwrap();
        torn.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        // A file of another process: same second and pid would give the new writer the same name.
        fs::rename(&file, directory.path().join("events.out.tfevents.0.earlier")).unwrap();
        fs::write(directory.path().join("events.out.tfevents.0.earlier"), torn).unwrap();
        let mut log = EventLog::open(directory.path(), 300).unwrap();
        (4..=6).for_each(|step| log.scalars(step * 100, &metrics));
        drop(log);
        assert_eq!(steps(directory.path()), [100, 200, 300, 400, 500, 600]);
    }
}
