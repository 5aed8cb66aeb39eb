//! What a build with the emulator says where nothing is set up: seen from the build script itself, so that nothing is
//! compiled.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest build script of this crate; it lies beside the folder that it writes to.
fn script() -> PathBuf {
    let builds = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("stpn-atari-");
    let folders = fs::read_dir(builds).unwrap().map(|entry| entry.unwrap().path()).filter(named);
    let scripts = folders.map(|folder| folder.join("build-script-build")).filter(|script| script.exists());
    scripts.max_by_key(|script| fs::metadata(script).unwrap().modified().unwrap()).unwrap()
}

#[test]
fn installing_atari_from_a_repository_failed_without_a_remedy() {
    // A folder that nobody has set up.
    let root = Path::new(env!("OUT_DIR")).join("nothing-here");
    let mut command = Command::new(script());
    command.env("CARGO_MANIFEST_DIR", root.join("crates/stpn-atari")).env("OUT_DIR", &root);
    let printed = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = printed(command.env("CARGO_FEATURE_EMULATOR", "1"));
    let error = text.lines().find(|line| line.starts_with("cargo::error=")).unwrap();
    for remedy in ["cargo xtask setup", "clone", "cargo install --path crates/stpn --features atari"] {
        assert!(error.contains(remedy), "{remedy} in {error}");
    }
    let without = printed(command.env_remove("CARGO_FEATURE_EMULATOR"));
    assert!(!without.contains("cargo::error="), "without the emulator nothing is needed: {without}");
}
