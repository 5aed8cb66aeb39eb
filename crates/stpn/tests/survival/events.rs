//! A small reader of event files, apart from the one that writes and cuts them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use protobuf::Message;
use tensorboard_proto::event::Event;

/// What TensorBoard shows of a run, in the order in which it reads it.
#[derive(Default)]
pub struct Events {
    /// Step and value of every scalar, by tag.
    pub scalars: BTreeMap<String, Vec<(i64, f32)>>,
    /// Step of every histogram, by tag.
    pub histograms: BTreeMap<String, Vec<i64>>,
    /// Step of every text, by tag.
    pub texts: BTreeMap<String, Vec<i64>>,
}

/// Reads all event files of a run.
pub fn read(run: &Path) -> Events {
    let mut files: Vec<PathBuf> = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("events.out.tfevents."));
    files.sort();
    let mut events = Events::default();
    for file in files {
        let contents = fs::read(&file).unwrap();
        let mut rest = contents.as_slice();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert!(rest.len() >= 16 + length, "{} ends within a record", file.display());
            events.add(&Event::parse_from_bytes(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
    }
    events
}

impl Events {
    fn add(&mut self, event: &Event) {
        for value in event.get_summary().get_value() {
            let tag = value.get_tag().to_string();
            if value.has_simple_value() {
                self.scalars.entry(tag).or_default().push((event.get_step(), value.get_simple_value()));
            } else if value.has_histo() {
                self.histograms.entry(tag).or_default().push(event.get_step());
            } else {
                self.texts.entry(tag).or_default().push(event.get_step());
            }
        }
    }
}
