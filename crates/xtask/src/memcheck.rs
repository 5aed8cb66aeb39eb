//! The kernels' tests under valgrind, which knows AVX2 but hides AVX-512 from them: all of them by
//! `cargo xtask memcheck`, and by every `cargo xtask check` those that take seconds.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::native;
use crate::run::{install_debian, run as execute, succeeds};

/// The tests of every check: kernels forward and back with every instruction set, a way back through two levels of
/// checkpoints, and the parts that index by hand.
const SHORT: &[&str] = &[
    "instruction_sets_agree",
    "every_instruction_set_agrees",
    "segments_do_not_change_the_gradient",
    "kernels::aligned",
    "kernels::convolution",
    "kernels::dense",
    "kernels::lanes",
    "kernels::linear",
];

/// All of them.
const LONG: &[&str] = &["instruction_sets_agree", "every_instruction_set_agrees", "kernels::"];

/// Runs all of them; an invalid read or write, or a decision that depends on memory never written, fails.
pub fn run() -> Result<()> {
    check(LONG)
}

/// Runs those that take seconds.
pub fn short() -> Result<()> {
    check(SHORT)
}

fn check(tests: &[&str]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("memcheck needs valgrind, on Linux");
    }
    if !succeeds("valgrind", &["--version"]) {
        install_debian(&["valgrind"])?;
    }
    let runner = format!("CARGO_TARGET_{}_RUNNER", host()?.to_uppercase().replace(['-', '.'], "_"));
    // The build of the other tests: a package by itself would be built with other features.
    let mut command = native::cargo("test");
    command.env(&runner, "valgrind --quiet --error-exitcode=1 --leak-check=no");
    // One thread more than the test's own: valgrind runs one at a time anyway.
    command.env("RAYON_NUM_THREADS", "2");
    command.args(["--lib", "--test", "fused", "--test", "baseline_kernels", "--"]);
    execute(command.args(tests).arg("--test-threads=1"))
}

/// The triple of this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_string())
}
