//! The one error type of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong with a game.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No game of that name.
    #[error("no game named `{name}`; there are: {known}")]
    UnknownGame {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },

    /// The games' folder is not there.
    #[error("the games are not in {}: {problem}; run `cargo xtask setup` where stpn was built, or set ALE_ROMS_DIR", folder.display())]
    RomFolder {
        /// Where they were looked for.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A file that is no game.
    #[error("{}: {problem}", path.display())]
    Rom {
        /// The file.
        path: PathBuf,
        /// Why it is none.
        problem: String,
    },

    /// An option the game does not have.
    #[error("{game}: {option} {value}: {problem}")]
    Option {
        /// The game.
        game: String,
        /// Which option.
        option: &'static str,
        /// The value given.
        value: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A saved state that does not fit the game.
    #[error("{game}: saved state refused: {problem}")]
    State {
        /// The game.
        game: String,
        /// Why.
        problem: String,
    },

    /// The emulator failed.
    #[error("{game}: the emulator failed: {problem}")]
    Emulator {
        /// The game.
        game: String,
        /// What it said.
        problem: String,
    },
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
