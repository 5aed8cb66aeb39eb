//! The MuJoCo tasks: their tests, and the comparison with the real Gymnasium on this machine.

use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::run::{root, run};

/// Steps of each task and each set of options.
const STEPS: &str = "1000";

/// Records Gymnasium's trajectories and runs every test that the feature `mujoco` adds, the comparison among them.
pub fn check() -> Result<()> {
    let trajectories = root().join("target/check-mujoco");
    let python = python::interpreter()?;
    let script = "envs/tests/python/mujoco_trajectories.py";
    run(Command::new(python).arg(script).arg(&trajectories).args(["--steps", STEPS]))?;
    let lints = ["--all-targets", "--features", "mujoco", "--", "-D", "warnings"];
    run(Command::new("cargo").args(["clippy", "--package", "stpn-envs"]).args(lints))?;
    let mut tests = Command::new("cargo");
    tests.args(["test", "--package", "stpn-envs", "--features", "mujoco"]);
    run(tests.env("STPN_MUJOCO_TRAJECTORIES", &trajectories)).context("the MuJoCo tasks")
}
