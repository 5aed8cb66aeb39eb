//! `cargo xtask check`: everything CI runs, in the order in which it fails fastest.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::{install_debian, run as execute, succeeds};
use crate::{atari, deny, gymnasium, links, python, setup, unsafety};

/// Runs all checks; the first that fails ends it.
pub fn run() -> Result<()> {
    for component in ["fmt", "clippy"] {
        if !succeeds("cargo", &[component, "--version"]) {
            let name = if component == "fmt" { "rustfmt" } else { component };
            execute(Command::new("rustup").args(["component", "add", name]))?;
        }
    }
    cargo(&["fmt", "--all", "--check"])?;
    links::check()?;
    unsafety::check()?;
    deny::check()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    execute(Command::new("cargo").env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"]))?;
    cargo(&["test", "--workspace"])?;
    setup::run()?;
    cargo(&["run", "--package", "stpn-agents", "--example", "own_environment"])?;
    gymnasium::check()?;
    atari::check()?;
    python_programs()
}

fn cargo(arguments: &[&str]) -> Result<()> {
    execute(Command::new("cargo").args(arguments))
}

/// Python programs read what a run writes: a checkpoint by the lines of its documentation, the logs by the real
/// TensorBoard and on its web page, and the report in a browser.
fn python_programs() -> Result<()> {
    if !(Path::new("/usr/bin/chromium").exists() && Path::new("/usr/bin/chromedriver").exists()) {
        install_debian(&["chromium", "chromium-driver"])?;
    }
    cargo(&["build", "--package", "stpn"])?;
    let python = python::interpreter()?;
    let check = |script: &str, arguments: &[&str]| {
        execute(Command::new(&python).arg(format!("crates/stpn/tests/python/{script}")).args(arguments))
    };
    check("check_checkpoint.py", &["target/debug/stpn", "checkpoints/README.md"])?;
    check("check_tensorboard.py", &["target/debug/stpn"])?;
    check("check_report.py", &["target/debug/stpn"])
}
