//! The Arcade Learning Environment: its source and the games come in the source archive of the package ale-py.

use std::fs;

use anyhow::{Context, Result};

use super::archive::{Archive, rename};
use super::tools;

const ALE: Archive = Archive {
    package: "ale-py",
    version: "0.12.1",
    file: "ale_py-0.12.1.tar.gz",
    sha256: "c503d574c5983e1063b451201ccb779d935919c0f6bf116fb0f4f8aa4c86d249",
    options: &["--no-binary", "ale-py"],
};

/// What of the archive is kept, and under which name.
const KEPT: [(&str, &str); 3] = [("src/ale", "src/ale"), ("src/ale/python/roms", "roms"), ("LICENSE.md", "LICENSE.md")];

/// Fetches the emulator's source, and makes sure that it can be compiled.
pub fn set_up() -> Result<()> {
    tools::require_cxx()?;
    tools::require_header("zlib.h", "zlib1g-dev")?;
    ALE.install("ale", |unpacked, folder| {
        let archive = unpacked.join(ALE.file.trim_end_matches(".tar.gz"));
        fs::create_dir_all(folder.join("src")).with_context(|| format!("cannot make {}", folder.display()))?;
        KEPT.iter().try_for_each(|(from, to)| {
            // The games lie in what was moved before them.
            let from = if archive.join(from).exists() { archive.join(from) } else { folder.join(from) };
            rename(&from, &folder.join(to))
        })
    })?;
    Ok(())
}
