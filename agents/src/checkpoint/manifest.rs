//! The manifest: what a checkpoint consists of, by size and checksum.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::FORMAT;
use crate::{Error, Result};

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";

/// Largest manifest that is read: a real one has a few hundred bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// What a checkpoint consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format version, [`FORMAT`].
    pub format: u32,
    /// Version of stpn that wrote it.
    pub stpn: String,
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
}

fn sha256(contents: &[u8]) -> String {
    Sha256::digest(contents).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Manifest {
    /// Reads the manifest of `directory`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it is missing, damaged or of another format version.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(MANIFEST);
        let refuse = |problem: String| Error::Checkpoint { path: path.clone(), problem };
        let size = std::fs::metadata(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
        if size > MAX_MANIFEST_BYTES {
            return Err(refuse(format!("is {size} bytes long; a manifest has at most {MAX_MANIFEST_BYTES}")));
        }
        let text = std::fs::read(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let version: Version = serde_json::from_slice(&text).map_err(|error| refuse(format!("is damaged: {error}")))?;
        if version.format != FORMAT {
            let found = version.format;
            return Err(refuse(format!(
                "has format {found}; this stpn reads format {FORMAT}: use the stpn that wrote it"
            )));
        }
        serde_json::from_slice(&text).map_err(|error| refuse(format!("is damaged: {error}")))
    }

    /// The verified contents of one of the files.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where the file is missing, has another size or another checksum than when written.
    pub fn file(&self, directory: &Path, name: &str) -> Result<Vec<u8>> {
        let path = directory.join(name);
        let refuse = |problem: String| Error::Checkpoint { path: path.clone(), problem };
        let entry = self.files.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| refuse("is not listed in the manifest".into()))?;
        let size = std::fs::metadata(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
        if size != entry.bytes {
            return Err(refuse(format!("is {size} bytes long, {} when written", entry.bytes)));
        }
        let contents = std::fs::read(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        if sha256(&contents) != entry.sha256 {
            return Err(refuse("has another checksum than when written".into()));
        }
        Ok(contents)
    }
}

/// The one field every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}
