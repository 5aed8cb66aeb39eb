//! A checkpoint in the making: complete or absent, whenever the process or the machine stops.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::manifest::{FileEntry, MANIFEST, Manifest};
use super::{FORMAT, directory_name};
use crate::{Error, Result};

/// A hidden directory beside the checkpoints, which becomes one by a rename.
///
/// Several processes may fill it: one [creates](Staging::create) it, the others [join](Staging::join) it and each
/// [adds](Staging::add) its files; the first, given all entries, [commits](Staging::commit).
#[derive(Debug)]
pub struct Staging {
    directory: PathBuf,
    aside: PathBuf,
    update: u64,
    owned: bool,
}

impl Staging {
    /// Begins the checkpoint after `update` in `directory`, a run's `checkpoints`.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be made.
    pub fn create(directory: &Path, update: u64) -> Result<Self> {
        fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
        let mut staging = Self::join(directory, update);
        remove(&staging.aside)?;
        fs::create_dir(&staging.aside).map_err(Error::io("cannot create", &staging.aside))?;
        staging.owned = true;
        Ok(staging)
    }

    /// Takes part in a checkpoint that another process has begun.
    pub fn join(directory: &Path, update: u64) -> Self {
        let aside = directory.join(format!(".{}.partial", directory_name(update)));
        Self { directory: directory.to_path_buf(), aside, update, owned: false }
    }

    /// Where files are written until the commit.
    pub fn path(&self) -> &Path {
        &self.aside
    }

    /// Writes and syncs a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn add(&self, name: &str, contents: &[u8]) -> Result<FileEntry> {
        write_synced(&self.aside.join(name), contents)?;
        Ok(FileEntry::of(name, contents))
    }

    /// Writes the manifest last, with the number of the arithmetic, and gives the checkpoint its name. Returns its path.
    ///
    /// # Errors
    /// [`Error::Io`] if that fails; every earlier checkpoint is then as it was.
    pub fn commit(self, numerics: u32, files: Vec<FileEntry>) -> Result<PathBuf> {
        let stpn = env!("CARGO_PKG_VERSION").to_string();
        let manifest = Manifest { format: FORMAT, stpn, numerics, update: self.update, files };
        self.commit_as(&manifest)
    }

    /// [`commit`](Self::commit) with this manifest.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_as(mut self, manifest: &Manifest) -> Result<PathBuf> {
        let path = self.aside.join(MANIFEST);
        let manifest = serde_json::to_vec_pretty(manifest)
            .map_err(|error| Error::Checkpoint { path: path.clone(), problem: error.to_string() })?;
        write_synced(&path, &manifest)?;
        sync_directory(&self.aside)?;
        let target = self.directory.join(directory_name(self.update));
        // One of this update can only be a damaged one: a run never goes back behind a sound checkpoint.
        discard(&target)?;
        fs::rename(&self.aside, &target).map_err(Error::io("cannot rename", &self.aside))?;
        self.owned = false;
        sync_directory(&self.directory)?;
        Ok(target)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.owned {
            // Best effort: the error that matters is the one that kept it from being committed.
            let _ = fs::remove_dir_all(&self.aside);
        }
    }
}

/// Removes what a process that was killed left unfinished in `directory`.
///
/// # Errors
/// [`Error::Io`] if something cannot be removed.
pub fn clean(directory: &Path) -> Result<()> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("cannot list", directory)(error)),
    };
    for entry in listing {
        let entry = entry.map_err(Error::io("cannot list", directory))?;
        let name = entry.file_name();
        let unfinished =
            |name: &str| name.starts_with('.') && (name.ends_with(".partial") || name.ends_with(".removed"));
        if name.to_str().is_some_and(unfinished) {
            let path = entry.path();
            if path.is_dir() {
                fs::remove_dir_all(&path).map_err(Error::io("cannot remove", &path))?;
            } else {
                fs::remove_file(&path).map_err(Error::io("cannot remove", &path))?;
            }
        }
    }
    Ok(())
}

/// Removes a checkpoint, out of sight at once: a half removed one must not be taken for one.
pub(super) fn discard(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    if !path.exists() {
        return Ok(());
    }
    let hidden = parent.join(format!(".{name}.removed"));
    remove(&hidden)?;
    fs::rename(path, &hidden).map_err(Error::io("cannot rename", path))?;
    remove(&hidden)
}

fn remove(path: &Path) -> Result<()> {
    if path.exists() { fs::remove_dir_all(path).map_err(Error::io("cannot remove", path)) } else { Ok(()) }
}

/// Writes a file that survives a power cut.
pub(crate) fn write_synced(path: &Path, contents: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("cannot create", path))?;
    file.write_all(contents).map_err(Error::io("cannot write", path))?;
    file.sync_all().map_err(Error::io("cannot sync", path))
}

/// Replaces a file by these contents, at once or not at all.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = directory.join(format!(".{name}.partial"));
    write_synced(&aside, contents)?;
    fs::rename(&aside, path).map_err(Error::io("cannot rename", &aside))?;
    sync_directory(directory)
}

/// Makes renames in `directory` survive a power cut.
fn sync_directory(directory: &Path) -> Result<()> {
    if cfg!(unix) {
        let file = File::open(directory).map_err(Error::io("cannot open", directory))?;
        file.sync_all().map_err(Error::io("cannot sync", directory))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_several_writers_are_one_checkpoint_once_the_first_commits() {
        let directory = tempfile::tempdir().unwrap();
        let first = Staging::create(directory.path(), 7).unwrap();
        let second = Staging::join(directory.path(), 7);
        let mut entries = vec![first.add("workers-00000.safetensors", b"a").unwrap()];
        entries.push(second.add("workers-00001.safetensors", b"bc").unwrap());
        drop(second);
        let visible = || fs::read_dir(directory.path()).unwrap().filter(|e| !hidden(e.as_ref().unwrap())).count();
        assert_eq!(visible(), 0);
        let path = first.commit(1, entries).unwrap();
        assert_eq!(visible(), 1);
        let manifest = Manifest::read(&path).unwrap();
        assert_eq!(manifest.file(&path, "workers-00001.safetensors").unwrap(), b"bc");
    }

    #[test]
    fn what_was_left_unfinished_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        std::mem::forget(Staging::create(directory.path(), 7).unwrap());
        fs::write(directory.path().join(".latest.partial"), "update").unwrap();
        fs::create_dir(directory.path().join("update-00000003")).unwrap();
        clean(directory.path()).unwrap();
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["update-00000003"]);
        clean(&directory.path().join("absent")).unwrap();
    }

    fn hidden(entry: &fs::DirEntry) -> bool {
        entry.file_name().to_string_lossy().starts_with('.')
    }
}
