//! The kernels' tests under valgrind, which knows AVX2 but hides AVX-512 from them: all of them by
//! `cargo xtask memcheck`, and by every `cargo xtask check` those that take seconds.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{install_debian, run as execute, succeeds};

/// A test program of `stpn-core`, and which of its tests run.
#[derive(Clone, Copy)]
struct Program {
    target: &'static [&'static str],
    tests: &'static [&'static str],
}

/// What is short enough for every check: a kernel's whole way forward and back with every instruction set, and the
/// parts that index by hand.
const SHORT: [Program; 2] = [
    Program { target: &["--test", "fused"], tests: &["instruction_sets_agree"] },
    Program { target: &["--lib"], tests: &["kernels::aligned", "kernels::dense", "kernels::lanes", "kernels::linear"] },
];

/// Everything.
const LONG: [Program; 2] = [SHORT[0], Program { target: &["--lib"], tests: &["kernels::"] }];

/// Runs all of them; an invalid read or write, or a decision that depends on memory never written, fails.
pub fn run() -> Result<()> {
    LONG.iter().try_for_each(check)
}

/// Runs those that take seconds.
pub fn short() -> Result<()> {
    SHORT.iter().try_for_each(check)
}

fn check(program: &Program) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("memcheck needs valgrind, on Linux");
    }
    if !succeeds("valgrind", &["--version"]) {
        install_debian(&["valgrind"])?;
    }
    let runner = format!("CARGO_TARGET_{}_RUNNER", host()?.to_uppercase().replace(['-', '.'], "_"));
    let mut command = Command::new("cargo");
    command.env(&runner, "valgrind --quiet --error-exitcode=1 --leak-check=no");
    // One thread more than the test's own: valgrind runs one at a time anyway.
    command.env("RAYON_NUM_THREADS", "2");
    command.args(["test", "--package", "stpn-core"]).args(program.target).arg("--").args(program.tests);
    execute(command.arg("--test-threads=1"))
}

/// The triple of this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_string())
}
