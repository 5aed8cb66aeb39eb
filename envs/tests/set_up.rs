//! What a build with the feature `mujoco` says where nothing is set up, or if it is run from elsewhere: seen from the
//! build script itself, so that nothing is compiled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest build script of this crate; it lies beside the folder that it writes to.
fn script() -> PathBuf {
    let builds = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("stpn-envs-");
    let folders = fs::read_dir(builds).unwrap().map(|entry| entry.unwrap().path()).filter(named);
    let scripts = folders.map(|folder| folder.join("build-script-build")).filter(|script| script.exists());
    scripts.max_by_key(|script| fs::metadata(script).unwrap().modified().unwrap()).unwrap()
}

/// What the script prints for a copy of the repository at `root`.
fn printed(root: &Path, feature: bool) -> String {
    let mut command = Command::new(script());
    command.env("CARGO_MANIFEST_DIR", root.join("envs")).env_remove("MUJOCO_DYNAMIC_LINK_DIR");
    command.env_remove("CARGO_FEATURE_MUJOCO");
    if feature {
        command.env("CARGO_FEATURE_MUJOCO", "1");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn installing_mujoco_from_a_repository_failed_without_a_remedy() {
    let root = tempfile::tempdir().unwrap();
    let text = printed(root.path(), true);
    let error = text.lines().find(|line| line.starts_with("cargo::error=")).unwrap();
    for remedy in ["cargo xtask setup", "clone", "cargo install --path crates/stpn --features mujoco"] {
        assert!(error.contains(remedy), "{remedy} in {error}");
    }
    assert!(!printed(root.path(), false).contains("cargo::error="), "without the feature nothing is needed");
}

#[test]
fn a_build_from_another_folder_failed_without_a_remedy() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("native/mujoco-models")).unwrap();
    fs::create_dir_all(root.path().join("native/mujoco")).unwrap();
    fs::write(root.path().join("native/mujoco/libmujoco.so.3.17.0"), "").unwrap();
    let text = printed(root.path(), true);
    let remedy = format!("--config {}/.cargo/config.toml", root.path().display());
    assert!(text.contains("cargo::error=") && text.contains(&remedy), "{text}");
}
