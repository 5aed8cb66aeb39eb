//! The manifest: what a checkpoint consists of, by size and checksum.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FORMAT, OLDEST};
use crate::{Error, Result};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";

/// Largest manifest that is read: a real one has some hundred bytes per file.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Largest file that a manifest may list: beyond what any run writes, and short of what would exhaust a machine.
const MAX_FILE_BYTES: u64 = 64 << 30;

/// What a checkpoint consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version, [`OLDEST`] to [`FORMAT`].
    pub format: u32,
    /// Version of stpn that wrote it.
    pub stpn: String,
    /// Number of the arithmetic of that program and its device, [`RunConfig::numerics`](crate::RunConfig::numerics); 0 in
    /// files from before it was counted.
    #[serde(default)]
    pub numerics: u32,
    /// Updates done.
    pub update: u64,
    /// Every other file of the directory.
    pub files: Vec<FileEntry>,
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// File name, without folders.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl FileEntry {
    /// The entry of a file of these contents.
    pub fn of(name: &str, contents: &[u8]) -> Self {
        Self { name: name.to_string(), bytes: contents.len() as u64, sha256: sha256(contents) }
    }

    /// What is wrong with this entry, if anything.
    fn problem(&self) -> Option<String> {
        let Self { name, bytes, sha256 } = self;
        if !is_plain(name) || name == MANIFEST {
            return Some(format!("lists {name:?}, which is no name of a checkpoint's file"));
        }
        if *bytes > MAX_FILE_BYTES {
            return Some(format!("lists `{name}` with {bytes} bytes; at most {MAX_FILE_BYTES} are read"));
        }
        if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Some(format!("lists `{name}` with a SHA-256 that is none"));
        }
        None
    }
}

/// Whether a name stays in its folder on every system: letters, digits, `-`, `_` and inner dots.
fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && !name.ends_with('.') && name.chars().all(allowed)
}

fn sha256(contents: &[u8]) -> String {
    Sha256::digest(contents).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Manifest {
    /// Reads the manifest of `directory`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is missing, damaged or belongs to another directory, [`Error::Format`] if it
    /// is of another format version.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(MANIFEST);
        let manifest = Self::parse(
            &path,
            &read_regular(&path, |size| {
                let long = format!("is {size} bytes long; a manifest has at most {MAX_MANIFEST_BYTES}");
                (size > MAX_MANIFEST_BYTES).then_some(long)
            })?,
        )?;
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("update-") && name != super::directory_name(manifest.update) {
            let problem = format!("is of update {}, not of this directory's: it was moved here", manifest.update);
            return Err(Error::Checkpoint { path, problem });
        }
        Ok(manifest)
    }

    /// Reads a manifest's contents; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is damaged, [`Error::Format`] if it is of another format version.
    pub fn parse(path: &Path, contents: &[u8]) -> Result<Self> {
        let refuse = |problem: String| Error::Checkpoint { path: path.to_path_buf(), problem };
        let version: Version =
            serde_json::from_slice(contents).map_err(|error| refuse(format!("is damaged: {error}")))?;
        if !(OLDEST..=FORMAT).contains(&version.format) {
            let (found, stpn) = (version.format, version.stpn);
            return Err(Error::Format { path: path.to_path_buf(), found, stpn, oldest: OLDEST, newest: FORMAT });
        }
        let manifest: Self =
            serde_json::from_slice(contents).map_err(|error| refuse(format!("is damaged: {error}")))?;
        if let Some(problem) = manifest.files.iter().find_map(FileEntry::problem) {
            return Err(refuse(problem));
        }
        let mut names = HashSet::new();
        if let Some(entry) = manifest.files.iter().find(|entry| !names.insert(&entry.name)) {
            return Err(refuse(format!("lists `{}` twice", entry.name)));
        }
        Ok(manifest)
    }

    /// The verified contents of one of the files.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if the file is missing, has another size or another checksum than when written.
    pub fn file(&self, directory: &Path, name: &str) -> Result<Vec<u8>> {
        let path = directory.join(name);
        let refuse = |problem: String| Error::Checkpoint { path: path.clone(), problem };
        let entry = self.files.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| refuse("is not listed in the manifest".into()))?;
        let contents = read_regular(&path, |size| {
            (size != entry.bytes).then(|| format!("is {size} bytes long, {} when written", entry.bytes))
        })?;
        if sha256(&contents) != entry.sha256 {
            return Err(refuse("has another checksum than when written".into()));
        }
        Ok(contents)
    }
}

/// The contents of a regular file, whose size `refuse` judges before anything is allocated for it.
fn read_regular(path: &Path, refuse: impl FnOnce(u64) -> Option<String>) -> Result<Vec<u8>> {
    let error = |problem: String| Error::Checkpoint { path: path.to_path_buf(), problem };
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => error("is missing".into()),
        _ => error(format!("cannot be read: {source}")),
    };
    // Before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(error("is no regular file".into()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if let Some(problem) = refuse(size) {
        return Err(error(problem));
    }
    let mut contents = Vec::new();
    let too_big = |_| error(format!("has {size} bytes, for which there is no memory"));
    contents.try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX)).map_err(too_big)?;
    file.take(size).read_to_end(&mut contents).map_err(unreadable)?;
    Ok(contents)
}

/// The fields that every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
    #[serde(default)]
    stpn: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_directory() {
        let names = [
            "../parameters",
            "..",
            ".",
            "",
            "/etc/passwd",
            "a/b",
            "a\\b",
            ".hidden",
            "c:evil",
            "manifest.json",
            "a\0b",
            "nul.",
            "ä",
        ];
        for name in names {
            let entry = FileEntry { name: name.into(), ..FileEntry::of("x", b"x") };
            let manifest = Manifest { format: FORMAT, stpn: "0".into(), numerics: 1, update: 1, files: vec![entry] };
            let error = Manifest::parse(Path::new("m"), &serde_json::to_vec(&manifest).unwrap()).unwrap_err();
            assert!(error.to_string().contains("no name"), "{name:?}: {error}");
        }
        assert!(is_plain("workers-00000.safetensors"));
    }

    #[test]
    fn impossible_entries_are_refused() {
        let good = FileEntry::of("x", b"x");
        let cases = [
            (vec![FileEntry { bytes: u64::MAX, ..good.clone() }], "at most"),
            (vec![FileEntry { sha256: "abc".into(), ..good.clone() }], "SHA-256"),
            (vec![FileEntry { sha256: good.sha256.to_uppercase(), ..good.clone() }], "SHA-256"),
            (vec![good.clone(), good], "twice"),
        ];
        for (files, expected) in cases {
            let manifest = Manifest { format: FORMAT, stpn: "0".into(), numerics: 1, update: 1, files };
            let error = Manifest::parse(Path::new("m"), &serde_json::to_vec(&manifest).unwrap()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn another_format_is_refused_by_name_whatever_else_it_holds() {
        for (text, found) in [(r#"{"format": 1, "stpn": "0.0.9", "shards": []}"#, 1), (r#"{"format": 77}"#, 77)] {
            match Manifest::parse(Path::new("m"), text.as_bytes()) {
                Err(Error::Format { found: format, .. }) => assert_eq!(format, found),
                other => panic!("{other:?}"),
            }
        }
    }
}
