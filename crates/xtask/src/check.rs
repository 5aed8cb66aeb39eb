//! `cargo xtask check`: everything CI runs, in the order in which it fails fastest.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::{install_debian, root, run as execute, succeeds};
use crate::{deny, links, memcheck, native, python, setup, unsafety};

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
    memcheck::short()?;
    // The tests have built it.
    execute(&mut Command::new(root().join("target/debug/examples/own_environment")))?;
    python_programs()?;
    setup::run()?;
    native::check()
}

fn cargo(arguments: &[&str]) -> Result<()> {
    execute(Command::new("cargo").args(arguments))
}

/// Python programs read what a run writes: a checkpoint by the lines of its documentation, the logs by the real
/// TensorBoard and on its web page, and the report in a browser. The tests have built the binary.
fn python_programs() -> Result<()> {
    if !(Path::new("/usr/bin/chromium").exists() && Path::new("/usr/bin/chromedriver").exists()) {
        install_debian(&["chromium", "chromium-driver"])?;
    }
    let python = python::interpreter()?;
    let check = |script: &str, arguments: &[&str]| {
        execute(Command::new(&python).arg(format!("crates/stpn/tests/python/{script}")).args(arguments))
    };
    check("check_checkpoint.py", &["target/debug/stpn", "checkpoints/README.md"])?;
    check("check_tensorboard.py", &["target/debug/stpn"])?;
    check("check_report.py", &["target/debug/stpn"])?;
    // What the README quotes is what the results say.
    execute(Command::new(&python).args(["scripts/results.py", "--check"]))
}
