//! Pinned archives of the Python package index: fetched by pip, verified, unpacked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::tools;
use crate::run::{root, run};

/// The folder of everything native.
fn native() -> PathBuf {
    root().join("native")
}

/// An archive of the Python package index.
pub struct Archive {
    /// The package's name there.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The archive's file name, a `.tar.gz` or a wheel.
    pub file: &'static str,
    /// Its SHA-256 in hexadecimal.
    pub sha256: &'static str,
    /// What makes `pip download` choose this file among those of the version.
    pub options: &'static [&'static str],
}

/// Names the archive that a folder was made of, `PACKAGE VERSION SHA-256`; written last. Build scripts read it.
const STAMP: &str = ".archive";

impl Archive {
    /// Makes `native/FOLDER` out of the archive, unless that was done before: `arrange` gets the folder with the
    /// unpacked archive and the empty one to fill. The folder is complete or absent.
    pub fn install(&self, folder: &str, arrange: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
        let target = native().join(folder);
        if fs::read_to_string(target.join(STAMP)).is_ok_and(|stamp| stamp == self.stamp()) {
            println!("{folder}: {} {} is set up in {}", self.package, self.version, target.display());
            return Ok(target);
        }
        let archive = self.fetch()?;
        let (unpacked, partial) = (native().join(format!("{folder}.unpacked")), native().join(format!("{folder}.new")));
        for directory in [&unpacked, &partial] {
            remove(directory)?;
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let module = if self.file.ends_with(".whl") { "zipfile" } else { "tarfile" };
        run(Command::new("python3").args(["-m", module, "-e"]).args([&archive, &unpacked]))?;
        arrange(&unpacked, &partial).with_context(|| format!("{} is not as expected", archive.display()))?;
        fs::write(partial.join(STAMP), self.stamp()).with_context(|| format!("cannot write {}", partial.display()))?;
        remove(&target)?;
        rename(&partial, &target)?;
        remove(&unpacked)?;
        println!("{folder}: {} {} is now set up in {}", self.package, self.version, target.display());
        Ok(target)
    }

    fn stamp(&self) -> String {
        format!("{} {} {}\n", self.package, self.version, self.sha256)
    }

    /// The verified archive below `native/downloads`, fetched by pip where it is not there. A file put there by hand
    /// does as well.
    fn fetch(&self) -> Result<PathBuf> {
        let downloads = native().join("downloads");
        let path = downloads.join(self.file);
        if path.exists() {
            if sha256(&path)? == self.sha256 {
                return Ok(path);
            }
            println!("{} is damaged and fetched again", path.display());
            remove(&path)?;
        }
        let partial = downloads.join("partial");
        remove(&partial)?;
        fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        // pip verifies the hash before it looks into the archive, and refuses requirements without one.
        let requirements = partial.join("requirements.txt");
        let line = format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256);
        fs::write(&requirements, line).with_context(|| format!("cannot write {}", requirements.display()))?;
        let mut pip = tools::pip();
        pip.args(["download", "--disable-pip-version-check", "--no-deps", "--require-hashes"]).args(self.options);
        pip.arg("--dest").arg(&partial).arg("--requirement").arg(&requirements);
        run(&mut pip).with_context(|| {
            let (package, version, by_hand) = (self.package, self.version, path.display());
            format!("cannot fetch {package} {version}; without access to a package index, put its file at {by_hand}")
        })?;
        let fetched = partial.join(self.file);
        let found = sha256(&fetched)?;
        if found != self.sha256 {
            bail!("{} has the SHA-256 {found}, expected {}", fetched.display(), self.sha256);
        }
        rename(&fetched, &path)?;
        remove(&partial)?;
        Ok(path)
    }
}

/// Moves a file or folder out of an unpacked archive.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Removes a file or a whole folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_hexadecimal_sha256() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
        assert!(sha256(&directory.path().join("absent")).unwrap_err().to_string().contains("absent"));
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        remove(&directory.path().join("absent")).unwrap();
        let folder = directory.path().join("folder");
        fs::create_dir_all(folder.join("inner")).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }
}
