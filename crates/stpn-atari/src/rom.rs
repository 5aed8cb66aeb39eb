//! Games: by name in the folder that `cargo xtask setup` filled, or by file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result, ffi};

/// No cartridge is larger; the emulator reads no more.
const LARGEST: u64 = 512 * 1024;

/// A cartridge that the emulator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    path: PathBuf,
    game: String,
}

impl Rom {
    /// The game of that name, such as `pong` or `space_invaders`.
    ///
    /// # Errors
    /// [`Error::UnknownGame`] with the names there are, [`Error::RomFolder`] if there are none, and the errors of
    /// [`Rom::file`].
    pub fn named(name: &str) -> Result<Self> {
        let known = games()?;
        if known.iter().any(|game| game == name) {
            return Self::file(&rom_folder().join(format!("{name}.bin")));
        }
        Err(Error::UnknownGame { name: name.into(), known: known.join(", ") })
    }

    /// A cartridge file of one's own. It must be one that the emulator knows the rewards of, told by its MD5.
    ///
    /// # Errors
    /// [`Error::Rom`] if it cannot be read or is not known.
    pub fn file(path: &Path) -> Result<Self> {
        let refused = |problem: String| Error::Rom { path: path.into(), problem };
        let length = fs::metadata(path).map_err(|error| refused(format!("cannot be read: {error}")))?.len();
        if length > LARGEST {
            return Err(refused(format!("has {length} bytes; no cartridge has more than {LARGEST}")));
        }
        let bytes = fs::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
        let game = ffi::identify(&bytes).map_err(refused)?;
        Ok(Self { path: path.into(), game })
    }

    /// The game's name.
    pub fn game(&self) -> &str {
        &self.game
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where games are looked for by name: the folder set up when this was built, or the one that `ALE_ROMS_DIR` names, as
/// in Python.
pub fn rom_folder() -> PathBuf {
    std::env::var_os("ALE_ROMS_DIR").map_or_else(|| env!("STPN_ATARI_ROMS").into(), PathBuf::from)
}

/// Cartridges for two players alone, without rewards for one.
const TWO_PLAYERS: [&str; 4] = ["combat", "joust", "maze_craze", "warlords"];

/// Names of the games in [`rom_folder`], sorted.
///
/// # Errors
/// [`Error::RomFolder`] if the folder cannot be read or is empty.
pub fn games() -> Result<Vec<String>> {
    let folder = rom_folder();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => return Err(Error::RomFolder { folder, problem: error.to_string() }),
    };
    let name = |path: PathBuf| {
        let stem = path.file_stem()?.to_str()?;
        (path.extension()? == "bin" && !TWO_PLAYERS.contains(&stem)).then(|| stem.to_string())
    };
    let mut games: Vec<String> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    if games.is_empty() {
        return Err(Error::RomFolder { folder, problem: "there are no .bin files".into() });
    }
    games.sort();
    Ok(games)
}
