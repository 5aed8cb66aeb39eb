//! MuJoCo: its library comes in the wheel of the package mujoco, the models of the tasks in that of gymnasium.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::archive::{Archive, rename};

/// The library for the machine this runs on. Any Python's wheel has the same; this one is taken whatever Python there
/// is.
const MUJOCO: Option<Archive> = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
    Some(Archive {
        package: "mujoco",
        version: "3.17.0",
        file: "mujoco-3.17.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "d66928d86a2d1b601bbaa4dc11db50214d17d5301bb8afd84721313b67ff0874",
        options: &["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--abi=cp311"],
    })
} else if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
    Some(Archive {
        package: "mujoco",
        version: "3.17.0",
        file: "*.whl",
        sha256: "91a70ed9979c383ff1f5c03f25cc2e1280a8254c1a8e558d5dd7f4184f01efc9",
        options: &["--only-binary=:all:", "--platform=manylinux_2_28_aarch64", "--python-version=3.11", "--abi=cp311"],
    })
} else {
    None
};

const LIBRARY: &str = "libmujoco.so.3.17.0";

const GYMNASIUM: Archive = Archive {
    package: "gymnasium",
    version: "1.4.0",
    file: "gymnasium-1.4.0-py3-none-any.whl",
    sha256: "1cb947c59e7c72d8eabb2c2274c00cd20948e69f8452a9ef4092223be24fdf0e",
    options: &["--only-binary=:all:"],
};

/// Fetches the library and the models.
pub fn set_up() -> Result<()> {
    let Some(library) = MUJOCO else {
        bail!("MuJoCo's library is set up on Linux with x86-64 or AArch64 processors only; build without `mujoco`");
    };
    library.install("mujoco", |unpacked, folder| {
        rename(&unpacked.join("mujoco").join(LIBRARY), &folder.join(LIBRARY))?;
        licences(unpacked, "mujoco-3.17.0", folder)
    })?;
    GYMNASIUM.install("mujoco-models", |unpacked, folder| {
        let models = unpacked.join("gymnasium/envs/mujoco/assets");
        for entry in fs::read_dir(&models).with_context(|| format!("cannot read {}", models.display()))? {
            let entry = entry.with_context(|| format!("cannot read {}", models.display()))?;
            rename(&entry.path(), &folder.join(entry.file_name()))?;
        }
        licences(unpacked, "gymnasium-1.4.0", folder)
    })?;
    Ok(())
}

/// Keeps a wheel's licence texts beside what was taken out of it.
fn licences(unpacked: &Path, wheel: &str, folder: &Path) -> Result<()> {
    rename(&unpacked.join(format!("{wheel}.dist-info/licenses")), &folder.join("licenses"))
}
