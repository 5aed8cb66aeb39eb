//! `cargo xtask check`: everything CI runs, in the order in which it fails fastest.
//!
//! There are two builds: one with every feature, which all tests of Rust are part of, and the default one, which needs
//! nothing but cargo. The program of the second is that of the package for Python; what it says of features that it
//! leaves out is tested on that. Both, and the lints and the documentation, share what they have in common
//! (`sharing.rs`).

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::phases::Phases;
use crate::run::{install_debian, root, run as execute, succeeds};
use crate::{book, circles, deny, links, memcheck, native, packages, python, setup, sharing, unsafety, wheel};

/// Runs all checks; the first that fails ends it.
pub fn run() -> Result<()> {
    let mut phases = Phases::default();
    phases.run("format, links, unsafe code", || {
        for component in ["fmt", "clippy"] {
            if !succeeds("cargo", &[component, "--version"]) {
                let name = if component == "fmt" { "rustfmt" } else { component };
                execute(Command::new("rustup").args(["component", "add", name]))?;
            }
        }
        cargo(&["fmt", "--all", "--check"])?;
        links::check()?;
        unsafety::check()?;
        circles::check()
    })?;
    let python = phases.run("Python packages", python::interpreter)?;
    phases.run("book", || {
        // What the book quotes is what the results say.
        execute(Command::new(&python).args(["scripts/results.py", "--check"]))?;
        book::build(&python)
    })?;
    phases.run("dependencies", || {
        deny::check(&python)?;
        sharing::check()
    })?;
    phases
        .run("lints, default build", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    phases.run("packages", packages::check)?;
    phases.run("native parts", || {
        native::message_passing()?;
        setup::run()
    })?;
    phases.run("lints, all features", native::lint)?;
    phases.run("documentation", native::document)?;
    let recordings = phases.run("recordings of Python's packages", || native::record(&python))?;
    phases.run("tests, all features", || native::test(&recordings))?;
    phases.run("environments of Python", || native::test_gymnasium(&python))?;
    phases.run("kernels under valgrind", memcheck::short)?;
    phases.run("programs", || programs(&python))?;
    let default_program = phases.run("package for Python", || wheel::check(&python))?;
    phases.run("tests, default build", || native::test_default(&default_program))?;
    phases.run("code of the book", || book::run_code(&python))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    execute(Command::new("cargo").args(arguments))
}

/// The examples of the library; two of them are programs of their own with the whole command line.
fn examples() -> Result<()> {
    let example = |name: &str| Command::new(root().join("target/debug/examples").join(name));
    execute(&mut example("agent"))?;
    execute(&mut example("plastic_layer"))?;
    let runs = root().join("target/check-runs");
    if runs.exists() {
        std::fs::remove_dir_all(&runs)?;
    }
    let commands: [&[&str]; 6] = [
        &["train", "echo", "--updates", "300", "--run-dir", "target/check-runs/echo"],
        &["resume", "target/check-runs/echo", "--updates", "600"],
        &["eval", "target/check-runs/echo"],
        &["play", "target/check-runs/echo"],
        &["report", "target/check-runs/echo", "--out", "target/check-runs/echo.html"],
        &["check-env", "echo"],
    ];
    commands.iter().try_for_each(|arguments| execute(example("own_environment").args(*arguments)))?;
    let leaky = ["train", "memory", "--cell", "leaky", "--updates", "20", "--run-dir", "target/check-runs/leaky"];
    execute(example("own_cell").args(leaky))?;
    execute(example("own_cell").args(["eval", "target/check-runs/leaky"]))
}

/// The programs that the tests have built, and Python programs that read what a run writes: a checkpoint by the lines
/// of its documentation and by an example in numpy, the logs by the real TensorBoard and on its web page, and the report
/// in a browser.
fn programs(python: &Path) -> Result<()> {
    // The binary with everything inside finds its files.
    execute(Command::new(root().join("target/debug/stpn")).arg("doctor"))?;
    examples()?;
    // The CUDA kernels, by the real compiler.
    let sources = root().join("target/check-cuda");
    execute(Command::new(root().join("target/debug/examples/sources")).arg(&sources))?;
    execute(Command::new(python).arg("scripts/cuda_compile.py").arg(&sources))?;
    if !(Path::new("/usr/bin/chromium").exists() && Path::new("/usr/bin/chromedriver").exists()) {
        install_debian(&["chromium", "chromium-driver"])?;
    }
    let check = |script: &str, arguments: &[&str]| {
        execute(Command::new(python).arg(format!("crates/stpn/tests/python/{script}")).args(arguments))
    };
    check("check_checkpoint.py", &["target/debug/stpn", "checkpoints/README.md"])?;
    check("check_tensorboard.py", &["target/debug/stpn"])?;
    check("check_report.py", &["target/debug/stpn"])?;
    check("check_numpy_policy.py", &["target/debug/stpn"])
}
