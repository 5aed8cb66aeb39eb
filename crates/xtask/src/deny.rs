//! `cargo deny`: licences, bans, sources and, where their database can be reached, advisories.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run::{root, run, succeeds};

/// The version that is installed where there is none.
const VERSION: &str = "0.20.2";

/// Checks the dependencies against `deny.toml`.
pub fn check() -> Result<()> {
    let deny = program()?;
    run(Command::new(&deny).args(["--log-level", "error", "check", "licenses", "bans", "sources"]))?;
    let fetched = Command::new(&deny).args(["fetch", "db"]).current_dir(root()).stderr(Stdio::null()).status();
    if fetched.is_ok_and(|status| status.success()) {
        return run(Command::new(&deny).args(["--log-level", "error", "check", "advisories"]));
    }
    println!("advisories: NOT CHECKED, their database (github.com/RustSec/advisory-db) cannot be reached from here");
    Ok(())
}

/// The installed program, or one of our own below `target`.
fn program() -> Result<PathBuf> {
    if succeeds("cargo-deny", &["--version"]) {
        return Ok("cargo-deny".into());
    }
    let tools = root().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        let install = ["install", "cargo-deny", "--locked", "--version", VERSION, "--quiet", "--root"];
        run(Command::new("cargo").args(install).arg(&tools))?;
    }
    Ok(program)
}
