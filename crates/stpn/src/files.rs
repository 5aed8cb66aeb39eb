//! Files read and written whole, with errors that name them.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The text of a file.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io("cannot read", path))
}

/// Makes a file with these contents, in place of one that is there.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, contents).map_err(Error::io("cannot write", path))
}

/// What a file holds as JSON.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?).map_err(|error| Error::damaged(path, format!("is damaged: {error}")))
}

/// A value as JSON, indented and with a line's end.
pub fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).map_err(Error::text)? + "\n")
}
