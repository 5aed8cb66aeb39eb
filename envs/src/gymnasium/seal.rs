//! Whose saved states are read.
//!
//! Reading a pickle can run anything. So a state that Python pickled is sealed with a key that only this user's programs
//! have, and read again only if the seal is theirs, or if the user says that states may be anybody's.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A key, or a seal made with one.
type Code = [u8; BYTES];

/// The seal of a pickled state; none if this user cannot keep a key.
pub(super) fn of(state: &[u8]) -> Option<Code> {
    key().map(|key| code(key, state))
}

/// Whether a seal is this user's, and of that state.
pub(super) fn is_ours(seal: Option<Code>, state: &[u8]) -> bool {
    let (Some(seal), Some(ours)) = (seal, of(state)) else { return false };
    // All bytes are looked at, so that time tells nothing of where they differ.
    seal.iter().zip(ours).fold(0, |differing, (seal, ours)| differing | (seal ^ ours)) == 0
}

/// HMAC of SHA-256 (RFC 2104).
fn code(key: &Code, message: &[u8]) -> Code {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(block, key)| *block ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// This user's key, made where there is none yet.
fn key() -> Option<&'static Code> {
    static KEY: OnceLock<Option<Code>> = OnceLock::new();
    KEY.get_or_init(|| kept_in(&folder()?).ok()).as_ref()
}

/// Where programs keep what is a user's own: `$XDG_STATE_HOME/stpn`, by default `~/.local/state/stpn`.
fn folder() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let state = set.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    state.is_absolute().then(|| state.join("stpn"))
}

/// The key in a folder, which is made, both for its owner alone, where there is none.
fn kept_in(folder: &Path) -> io::Result<Code> {
    let path = folder.join("seal-key");
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read?.try_into().map_err(|_| io::Error::other("it is no key")),
    }
    fs::create_dir_all(folder)?;
    let mut key = [0; BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(key),
        // Another program was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => kept_in(folder),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_code_is_that_of_python() {
        // hmac.new(bytes(range(32)), b"a state", "sha256").digest()
        let key = std::array::from_fn(|i| i as u8);
        let expected = "37b492c4b29f1b93491661c9aec67d300795ea57eaab79a0e48681abc41dc0c2";
        let hex: String = code(&key, b"a state").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let key = kept_in(&inner).unwrap();
        assert_eq!(kept_in(&inner).unwrap(), key);
        assert_ne!(kept_in(&folder.path().join("c")).unwrap(), key);
        let mode = fs::metadata(inner.join("seal-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(inner.join("seal-key"), "short").unwrap();
        assert!(kept_in(&inner).is_err());
    }

    #[test]
    fn programs_that_start_together_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<Code> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| kept_in(folder.path()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_seal_is_of_one_state() {
        let seal = of(b"a state");
        assert!(seal.is_some() && is_ours(seal, b"a state"));
        assert!(!is_ours(seal, b"another state") && !is_ours(None, b"a state"));
        assert!(!is_ours(seal.map(|mut seal| (seal[31] ^= 1, seal).1), b"a state"));
    }
}
