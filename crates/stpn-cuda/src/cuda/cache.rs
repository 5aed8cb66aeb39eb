//! Compiled kernels on disk, so that only the first use of a layer waits for the compiler.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use sha2::{Digest, Sha256};

/// A folder of compiled kernels. All failures are those of a cache: the kernels are compiled again.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// `stpn/cuda` in the user's cache directory; nothing is kept if there is no such directory.
    pub fn of_user() -> Self {
        let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let usual = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        Self { folder: given.or_else(usual).map(|folder| folder.join("stpn/cuda")) }
    }

    /// In that folder.
    #[cfg(test)]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: Some(folder.to_path_buf()) }
    }

    /// The PTX that was stored under that key, if it is there and whole.
    pub fn get(&self, key: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(key)?).ok()?;
        let (mark, ptx) = text.split_once('\n')?;
        (mark == self::mark(ptx)).then(|| ptx.to_string())
    }

    /// Stores PTX under a key. Another process may do the same at the same time.
    pub fn put(&self, key: &str, ptx: &str) -> io::Result<()> {
        let Some(path) = self.path(key) else { return Ok(()) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension(format!("{}.part", process::id()));
        fs::write(&unfinished, format!("{}\n{ptx}", mark(ptx)))?;
        fs::rename(&unfinished, &path)
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{key}.ptx")))
    }
}

/// The key of what is compiled from these parts: source, compiler's version, architecture, options.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With their lengths, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// First line of a file: what follows it is whole.
fn mark(ptx: &str) -> String {
    format!("// sha256 {}", hex(&Sha256::digest(ptx.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back_unless_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::in_folder(folder.path());
        let key = key(&["source", "12.9", "compute_90"]);
        assert_eq!(cache.get(&key), None);
        cache.put(&key, ".version 8.0\n.target sm_90\n").unwrap();
        assert_eq!(cache.get(&key).as_deref(), Some(".version 8.0\n.target sm_90\n"));
        let path = folder.path().join(format!("{key}.ptx"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(cache.get(&key), None, "a file cut short");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no unfinished file is left");
    }

    #[test]
    fn keys_differ_with_each_part_and_its_border() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["source", "12.8"]), key(&["source", "12.9"]));
        assert_eq!(key(&["source"]), key(&["source"]));
    }
}
