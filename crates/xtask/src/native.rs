//! The build with every feature: Atari, MuJoCo, gymnasium-rs, MPI, and the CUDA kernels behind their shim, tested
//! against the real Gymnasium, ale_py and mpirun.
//!
//! One set of features for all of it: every other set would build half of the workspace once more.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run::{install_debian, root, run, succeeds};

/// Steps of each MuJoCo task and each set of options.
const STEPS: &str = "1000";

/// Frames of each game, and pictures of each preprocessing.
const LENGTHS: [&str; 4] = ["--frames", "2000", "--pictures", "600"];

/// Every feature of every crate.
pub const FEATURES: &str = "stpn/atari,stpn/mujoco,stpn/mpi,stpn-atari/emulator,stpn-envs/gymnasium-rs,\
                        stpn/cuda-shim,stpn-cuda/cuda,stpn-cuda/shim";

/// What the real packages do, by the variable that tells a test where it is.
pub type Recordings = [(&'static str, PathBuf); 4];

/// `cargo COMMAND` over the workspace with every feature.
pub fn cargo(command: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args([command, "--workspace", "--features", FEATURES]);
    cargo
}

/// No warnings.
pub fn lint() -> Result<()> {
    run(cargo("clippy").args(["--all-targets", "--", "-D", "warnings"]))
}

/// Documentation without warnings.
pub fn document() -> Result<()> {
    run(cargo("doc").arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every test, documentation's included.
pub fn test(recordings: &Recordings) -> Result<()> {
    let mut tests = cargo("test");
    for (variable, recording) in recordings {
        tests.env(variable, recording);
    }
    run(&mut tests)
}

/// The tests that need a Python with Gymnasium.
pub fn test_gymnasium(python: &Path) -> Result<()> {
    let mut tests = cargo("test");
    tests.env("STPN_PYTHON", python);
    run(tests.args(["--test", "gymnasium", "--", "--ignored"]))
}

/// The tests of a build without features, on such a program.
pub fn test_default(program: &Path) -> Result<()> {
    let mut tests = cargo("test");
    tests.env("STPN_DEFAULT_PROGRAM", program);
    run(tests.args(["--test", "default_build", "--", "--ignored"]))
}

/// Records what the Python packages do on this machine.
pub fn record(python: &Path) -> Result<Recordings> {
    let target = root().join("target");
    let [classic, popgym, mujoco, atari] =
        ["classic", "popgym", "mujoco", "atari"].map(|name| target.join(format!("check-{name}")));
    let script = |name: &str| {
        let mut command = Command::new(python);
        command.arg(format!("envs/tests/python/{name}.py"));
        command
    };
    run(script("classic_trajectories").arg(&classic).args(["--seed", "2"]))?;
    run(script("popgym_recordings").arg(&popgym).args(["--seed", "2"]))?;
    run(script("mujoco_trajectories").arg(&mujoco).args(["--steps", STEPS]))?;
    run(script("atari_recordings").arg(&atari).args(LENGTHS))?;
    Ok([
        ("STPN_TRAJECTORIES", classic),
        ("STPN_POPGYM_RECORDINGS", popgym),
        ("STPN_MUJOCO_TRAJECTORIES", mujoco),
        ("STPN_ATARI_RECORDINGS", atari),
    ])
}

/// Open MPI, and the libclang that its bindings are made with.
pub fn message_passing() -> Result<()> {
    let clang = succeeds("sh", &["-c", "ldconfig -p | grep -q libclang || ls /usr/lib/llvm-*/lib/libclang*.so*"]);
    if succeeds("mpirun", &["--version"]) && succeeds("mpicc", &["--version"]) && clang {
        return Ok(());
    }
    install_debian(&["libopenmpi-dev", "openmpi-bin", "libclang-dev"])
}
