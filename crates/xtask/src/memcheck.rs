//! `cargo xtask memcheck`: the kernels' tests under valgrind, which knows AVX2 but hides AVX-512 from them.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{install_debian, run as execute, succeeds};

/// Test programs of `stpn-core` and the tests in them.
const TESTS: [[&str; 3]; 2] = [["--lib", "", "kernels::"], ["--test", "fused", "instruction_sets_agree"]];

/// Runs them; an invalid read or write, or a decision that depends on memory never written, fails.
pub fn run() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("memcheck needs valgrind, on Linux");
    }
    if !succeeds("valgrind", &["--version"]) {
        install_debian(&["valgrind"])?;
    }
    let runner = format!("CARGO_TARGET_{}_RUNNER", host()?.to_uppercase().replace(['-', '.'], "_"));
    for [kind, program, filter] in TESTS {
        let mut command = Command::new("cargo");
        command.env(&runner, "valgrind --quiet --error-exitcode=1 --leak-check=no");
        command.args(["test", "--package", "stpn-core", kind]);
        if !program.is_empty() {
            command.arg(program);
        }
        // One thread more than the test's own: valgrind runs one at a time anyway.
        execute(command.args([filter, "--", "--test-threads=1"]).env("RAYON_NUM_THREADS", "2"))?;
    }
    Ok(())
}

/// The triple of this machine.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_string())
}
