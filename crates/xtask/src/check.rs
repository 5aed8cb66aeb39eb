//! `cargo xtask check`: everything CI runs, in the order in which it fails fastest.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::{install_debian, run as execute, succeeds};
use crate::{gymnasium, links, python, setup};

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
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    execute(Command::new("cargo").env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"]))?;
    cargo(&["test", "--workspace"])?;
    setup::run()?;
    gymnasium::check()?;
    cargo(&["run", "--package", "stpn-agents", "--example", "own_environment"])?;
    tensorboard()
}

fn cargo(arguments: &[&str]) -> Result<()> {
    execute(Command::new("cargo").args(arguments))
}

/// The real TensorBoard reads what a run writes, in Python and on its web page.
fn tensorboard() -> Result<()> {
    if !(Path::new("/usr/bin/chromium").exists() && Path::new("/usr/bin/chromedriver").exists()) {
        install_debian(&["chromium", "chromium-driver"])?;
    }
    cargo(&["build", "--package", "stpn"])?;
    let python = python::interpreter()?;
    execute(Command::new(python).args(["crates/stpn/tests/python/check_tensorboard.py", "target/debug/stpn"]))
}
