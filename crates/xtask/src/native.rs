//! Everything that features add: Atari, MuJoCo, gymnasium-rs and MPI, against the real Gymnasium, ale_py and mpirun.
//!
//! One set of features for all of it: every other set would build half of the workspace once more.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::python;
use crate::run::{install_debian, root, run, succeeds};

/// Steps of each MuJoCo task and each set of options.
const STEPS: &str = "1000";

/// Frames of each game, and pictures of each preprocessing.
const LENGTHS: [&str; 4] = ["--frames", "2000", "--pictures", "600"];

const FEATURES: &str = "stpn/atari,stpn/mujoco,stpn/mpi,stpn-atari/emulator,stpn-envs/gymnasium-rs";

/// The test programs that the features change; the others were run by the default build.
const TESTS: [&str; 12] = [
    "atari",
    "atari_python",
    "check_env",
    "classic_gymnasium",
    "games",
    "gymnasium_rs",
    "memory",
    "mujoco",
    "mujoco_gymnasium",
    "exact_resume",
    "ranks",
    "trained_agents",
];

/// Records what the Python packages do on this machine, and runs every test of the features.
pub fn check() -> Result<()> {
    let recordings = record()?;
    message_passing()?;
    let cargo = |command: &str| {
        let mut cargo = Command::new("cargo");
        cargo.args([command, "--workspace", "--features", FEATURES]);
        cargo
    };
    run(cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]))?;
    let mut tests = cargo("test");
    tests.arg("--lib").args(TESTS.iter().flat_map(|test| ["--test", test]));
    for (variable, recording) in recordings {
        tests.env(variable, recording);
    }
    run(&mut tests).context("the tests of the features")?;
    // The binary with everything inside finds its files; the tests have built it.
    run(Command::new(root().join("target/debug/stpn")).arg("doctor"))
}

/// What the real packages do, by the variable that tells a test where it is.
fn record() -> Result<[(&'static str, PathBuf); 3]> {
    let python = python::interpreter()?;
    let target = root().join("target");
    let [classic, mujoco, atari] = ["check-classic", "check-mujoco", "check-atari"].map(|name| target.join(name));
    let script = |name: &str| {
        let mut command = Command::new(&python);
        command.arg(format!("envs/tests/python/{name}.py"));
        command
    };
    run(script("classic_trajectories").arg(&classic).args(["--seed", "2"]))?;
    run(script("mujoco_trajectories").arg(&mujoco).args(["--steps", STEPS]))?;
    run(script("atari_recordings").arg(&atari).args(LENGTHS))?;
    Ok([("STPN_TRAJECTORIES", classic), ("STPN_MUJOCO_TRAJECTORIES", mujoco), ("STPN_ATARI_RECORDINGS", atari)])
}

/// Open MPI, and the libclang that its bindings are made with.
fn message_passing() -> Result<()> {
    let clang = succeeds("sh", &["-c", "ldconfig -p | grep -q libclang || ls /usr/lib/llvm-*/lib/libclang*.so*"]);
    if succeeds("mpirun", &["--version"]) && succeeds("mpicc", &["--version"]) && clang {
        return Ok(());
    }
    install_debian(&["libopenmpi-dev", "openmpi-bin", "libclang-dev"])
}
