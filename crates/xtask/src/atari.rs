//! The Atari games: their tests, and the comparison with the real ale_py and Gymnasium on this machine.

use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::run::{root, run};

/// Frames of each game, and pictures of each preprocessing.
const LENGTHS: [&str; 4] = ["--frames", "2000", "--pictures", "600"];

/// Records what the Python packages do, and runs every test that the feature `atari` adds, the comparison among them.
pub fn check() -> Result<()> {
    let recordings = root().join("target/check-atari");
    let python = python::interpreter()?;
    run(Command::new(python).arg("envs/tests/python/atari_recordings.py").arg(&recordings).args(LENGTHS))?;
    let cargo = |command: &str| {
        let mut cargo = Command::new("cargo");
        cargo.args([command, "--package", "stpn-atari", "--package", "stpn-envs"]);
        cargo.args(["--features", "stpn-atari/emulator,stpn-envs/atari"]);
        cargo
    };
    run(cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]))?;
    run(cargo("test").env("STPN_ATARI_RECORDINGS", &recordings)).context("the Atari games")?;
    // The binary with everything inside finds its files.
    run(Command::new("cargo").args(["run", "--package", "stpn", "--features", "atari,mujoco", "--", "doctor"]))
}
