//! A Python environment of our own, below `target`, for checks against Python programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::run::{install_debian, root, run, succeeds};

/// What the checks need, pinned.
const PACKAGES: [&str; 14] = [
    "tensorboard==2.21.0",
    "setuptools<81",
    "selenium==4.36.0",
    "numpy<3",
    "gymnasium[box2d,mujoco]==1.4.0",
    "minigrid==3.2.0",
    "mujoco==3.17.0",
    "ale-py==0.12.1",
    "opencv-python-headless==4.13.0.92",
    "safetensors==0.8.0",
    "popgym==1.0.7",
    "mazelib==0.9.16",
    "nvidia-cuda-nvrtc-cu12==12.9.86",
    "nvidia-cuda-nvcc-cu12==12.9.86",
];

/// The environment's interpreter, with all packages installed.
pub fn interpreter() -> Result<PathBuf> {
    let python = environment()?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).args(PACKAGES))?;
    Ok(python)
}

/// The environment's interpreter, with whatever is installed so far.
pub fn environment() -> Result<PathBuf> {
    let environment = root().join("target/check-python");
    let python = environment.join("bin/python");
    if !python.exists() {
        if !succeeds("python3", &["-c", "import venv, ensurepip"]) {
            install_debian(&["python3", "python3-venv", "python3-pip"])?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    Ok(python)
}
