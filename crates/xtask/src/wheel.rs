//! The package for Python: built as a wheel, installed into an environment of its own, and tested there.
//!
//! That environment is one of Debian's Python, since Debian has a PyTorch without the three gigabytes of CUDA that the
//! one of Python's package index brings along.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{install_debian, root, run, succeeds};

/// The package's manifest: a workspace of its own, which shares what is built with the other.
pub const MANIFEST: &str = "crates/stpn-python/Cargo.toml";

/// What the types are checked by.
const TYPES: &str = "crates/stpn-python/pyproject.toml";

/// Where Debian's Python is, whatever else is installed.
const PYTHON: &str = "/usr/bin/python3";

/// What the tests and examples need beside PyTorch and its numpy, pinned.
const PACKAGES: [&str; 8] = [
    "gymnasium==1.4.0",
    "onnxruntime==1.32.0",
    "optuna==5.0.0",
    "wandb==0.31.0",
    "trackio==0.43.0",
    "matplotlib==3.10.8",
    "contourpy==1.3.2",
    "mypy==2.4.1",
];

/// Asks for a newer PyTorch than Debian's, and works with that one: what it needs is installed beside it.
const APART: [&str; 3] = ["stable-baselines3==2.9.2", "sb3-contrib==2.9.2", "cloudpickle==3.1.3"];

/// The environments that a wheel leaves out.
pub const LEFT_OUT: [&str; 2] = ["--features", "atari,mujoco"];

/// The test of agents that were trained in those.
const EVERY_AGENT: &str = "Agent.test_predict_takes_the_actions_of_the_command_play_for_ten_episodes";

/// What builds wheels, pinned.
const MATURIN: &str = "maturin==1.16.0";

/// All checks of the package. `python` is the interpreter of the checks' environment. Returns the installed program.
pub fn check(python: &Path) -> Result<PathBuf> {
    lint()?;
    test(python)
}

/// Format and lints of the package's Rust.
fn lint() -> Result<()> {
    run(Command::new("cargo").args(["fmt", "--manifest-path", MANIFEST, "--check"]))?;
    let clippy = ["clippy", "--locked", "--target-dir", "target", "--manifest-path", MANIFEST];
    run(Command::new("cargo").args(clippy).args(["--all-targets", "--", "-D", "warnings"]))
}

/// Builds the wheel, installs it into a fresh environment, and runs its tests and the book's page on it. Returns the
/// program of an environment that has nothing else.
fn test(python: &Path) -> Result<PathBuf> {
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(python).args(pip).arg(MATURIN))?;
    let (wheel, whole) = (build(python, "wheel", &[])?, build(python, "wheel-of-all", &LEFT_OUT)?);
    let python = environment()?;
    let default = alone(&wheel)?;
    run(Command::new(&python).args(pip).args(PACKAGES).arg(wheel))?;
    run(Command::new(&python).args(pip).arg("--no-deps").args(APART))?;
    run(Command::new(&python).args(["-m", "mypy", "--config-file", TYPES]))?;
    run(Command::new(&python).args(["-m", "unittest", "discover", "--start-directory", "crates/stpn-python/tests"]))?;
    let stpn = python.with_file_name("stpn");
    run(Command::new(&python).arg("scripts/book_code.py").arg(stpn).arg("docs/python.md"))?;
    // Once more with all environments inside, for the agents that were trained in those.
    run(Command::new(&python).args(pip).args(["--no-deps", "--force-reinstall"]).arg(whole))?;
    let mut every = Command::new(&python);
    every.args(["crates/stpn-python/tests/test_agent.py", EVERY_AGENT]).env("STPN_ALL_ENVIRONMENTS", "1");
    run(every.env("LD_LIBRARY_PATH", root().join("native/mujoco")))?;
    Ok(default)
}

/// Installs the wheel where nothing else is, and trains there: numpy is all that it needs. Returns its program.
fn alone(wheel: &Path) -> Result<PathBuf> {
    let folder = root().join("target/check-wheel-alone");
    run(Command::new(PYTHON).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let python = folder.join("bin/python");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).arg(wheel))?;
    run(Command::new(&python).arg("crates/stpn-python/tests/alone.py"))?;
    Ok(python.with_file_name("stpn"))
}

/// The wheel, built like the tests, with the assertions of a debug build, into a folder of that name.
fn build(python: &Path, name: &str, features: &[&str]) -> Result<PathBuf> {
    let folder = root().join(format!("target/check-{name}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    // Only a published wheel must say which systems it runs on.
    let arguments = ["-m", "maturin", "build", "--quiet", "--locked", "--target-dir", "target"];
    let mut maturin = Command::new(python);
    maturin.args(arguments).args(features).args(["--compatibility", "linux", "-m", MANIFEST, "--out"]);
    run(maturin.arg(&folder))?;
    let mut files = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(files.next().context("maturin made no wheel")??.path())
}

/// A fresh environment with Debian's PyTorch; its interpreter.
fn environment() -> Result<PathBuf> {
    if !succeeds(PYTHON, &["-c", "import torch, numpy, venv, ensurepip"]) {
        install_debian(&["python3", "python3-venv", "python3-torch", "python3-numpy"])?;
    }
    let folder = root().join("target/check-wheel-python");
    run(Command::new(PYTHON).args(["-m", "venv", "--clear", "--system-site-packages"]).arg(&folder))?;
    Ok(folder.join("bin/python"))
}
