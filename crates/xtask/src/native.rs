//! The environments with native parts: their tests, and comparisons with the real Python packages on this machine.

use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::run::{root, run};

/// Features and packages that have to do with them.
const FEATURES: &str = "stpn-atari/emulator,stpn-envs/atari,stpn-envs/mujoco";
const PACKAGES: [&str; 4] = ["--package", "stpn-atari", "--package", "stpn-envs"];

/// Records what ale_py and Gymnasium do, and runs every test that the features `atari` and `mujoco` add, the
/// comparisons among them.
pub fn check() -> Result<()> {
    let (atari, mujoco) = (root().join("target/check-atari"), root().join("target/check-mujoco"));
    let python = python::interpreter()?;
    let record = |script: &str| {
        let mut command = Command::new(&python);
        command.arg(format!("envs/tests/python/{script}"));
        command
    };
    run(record("atari_recordings.py").arg(&atari).args(["--frames", "2000", "--pictures", "600"]))?;
    run(record("mujoco_trajectories.py").arg(&mujoco).args(["--steps", "1000"]))?;
    let cargo = |command: &str| {
        let mut cargo = Command::new("cargo");
        cargo.arg(command).args(PACKAGES).args(["--features", FEATURES]);
        cargo
    };
    run(cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]))?;
    let mut tests = cargo("test");
    tests.env("STPN_ATARI_RECORDINGS", &atari).env("STPN_MUJOCO_TRAJECTORIES", &mujoco);
    run(&mut tests).context("the environments with native parts")?;
    // The binary with all of it inside finds its files.
    let doctor = ["run", "--package", "stpn", "--features", "atari,mujoco", "--", "doctor"];
    run(Command::new("cargo").args(doctor))
}
