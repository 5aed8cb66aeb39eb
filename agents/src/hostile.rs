//! The readers of files that may be damaged or hostile, each as one function of bytes: what the fuzzer feeds, and what
//! a test feeds with the fuzzer's corpus. Whatever the bytes, they return: no panic, no allocation beyond the bytes.

use std::path::Path;

use crate::checkpoint::manifest::Manifest;
use crate::checkpoint::read;
use crate::checkpoint::tensors::{TensorReader, TensorWriter};
use crate::config::RunConfig;
use crate::logging::{events, jsonl, record};

/// Reads a checkpoint's manifest. One that is accepted is written back as the same.
pub fn manifest(bytes: &[u8]) {
    let path = Path::new("manifest.json");
    if let Ok(manifest) = Manifest::parse(path, bytes) {
        let again = serde_json::to_vec(&manifest).expect("a manifest has strings and integers only");
        assert_eq!(Manifest::parse(path, &again).ok(), Some(manifest));
    }
}

/// Reads a configuration. One that is accepted is written back as the same.
pub fn config(bytes: &[u8]) {
    let read = |text: &str| text.parse().ok().and_then(|table| RunConfig::from_table(table).ok());
    let Some(config) = std::str::from_utf8(bytes).ok().and_then(read) else { return };
    // Numbers beyond 2⁶³ have no TOML form.
    if let Ok(written) = config.to_toml() {
        let again = read(&written).expect("a configuration that was written can be read");
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
    }
}

/// Reads a file of tensors in every way there is.
pub fn tensors(bytes: &[u8]) {
    let path = Path::new("parameters.safetensors");
    let Ok(tensors) = TensorReader::new(path, bytes) else { return };
    let mut read_bytes = 0;
    let mut writer = TensorWriter::default();
    for name in tensors.names() {
        if let Ok(values) = tensors.any_f32(name) {
            read_bytes += 4 * values.len();
            writer.f32(name, &[values.len()], &values);
        }
        if let Ok(values) = tensors.u64(name) {
            read_bytes += 8 * values.len();
            writer.u64(name, &values);
        }
        if let Ok(values) = tensors.u8(name) {
            read_bytes += values.len();
            writer.u8(name, values);
        }
    }
    assert!(read_bytes <= bytes.len());
    writer.finish(path).expect("what was read can be written");
    let _ = read::workers(path, bytes);
}

/// Finds where to cut a log that a resumed run continues. What is kept is kept again.
pub fn logs(bytes: &[u8]) {
    const STEPS: [u64; 3] = [0, 100, u64::MAX];
    for steps in STEPS {
        let kept = events::kept_bytes(bytes, steps);
        assert_eq!(events::kept_bytes(&bytes[..kept], steps), kept);
        let kept = jsonl::sound_lines(&mut &bytes[..], steps).expect("memory can be read").prefix;
        let kept = usize::try_from(kept).expect("no more than there was");
        assert_eq!(jsonl::sound_lines(&mut &bytes[..kept], steps).ok().map(|sound| sound.prefix), Some(kept as u64));
    }
    let framed: usize = record::records(bytes).map(record::framed_len).sum();
    assert!(framed <= bytes.len());
}
