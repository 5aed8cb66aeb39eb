//! The environments against the real Gymnasium, on this machine, and the tests that features add.

use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::run::{root, run};

/// Steps of each MuJoCo task and each set of options.
const STEPS: &str = "1000";

/// Records Gymnasium's trajectories and compares: classic control in the default build, MuJoCo among all tests of the
/// features `mujoco` and `gymnasium-rs`.
pub fn check() -> Result<()> {
    let (classic, mujoco) = (root().join("target/check-classic"), root().join("target/check-mujoco"));
    let python = python::interpreter()?;
    run(Command::new(&python).arg("envs/tests/python/classic_trajectories.py").arg(&classic).args(["--seed", "2"]))?;
    run(Command::new(&python).arg("envs/tests/python/mujoco_trajectories.py").arg(&mujoco).args(["--steps", STEPS]))?;
    let mut compare = Command::new("cargo");
    compare.args(["test", "--package", "stpn-envs", "--test", "classic_gymnasium"]);
    run(compare.env("STPN_TRAJECTORIES", &classic)).context("classic control")?;
    let features = ["--package", "stpn-envs", "--features", "mujoco,gymnasium-rs"];
    run(Command::new("cargo").arg("clippy").args(features).args(["--all-targets", "--", "-D", "warnings"]))?;
    let mut tests = Command::new("cargo");
    tests.arg("test").args(features).env("STPN_MUJOCO_TRAJECTORIES", &mujoco);
    run(&mut tests).context("the tests of the features")
}
