//! Trainings in environments of Python's Gymnasium, by the real binary.
//!
//! They need a Python with Gymnasium, named by `STPN_PYTHON`: `cargo xtask check` sets one up and runs them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../binary/mod.rs"]
mod binary;
mod exact;
mod trust;

use std::path::Path;

/// The environments of the bridge's own tests.
const ENVIRONMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../envs/tests/gymnasium/environments.py");

/// A configuration of a small training, in a file of `folder`.
fn configure(folder: &Path, env: &str) -> String {
    let path = folder.join("small.toml");
    let text = format!(
        "env = {{ name = 'gymnasium', {env} }}
         rollout = {{ environments = 6, steps = 16 }}
         policy = {{ hidden = 6, cell.name = 'stpn' }}
         algorithm.name = 'a2c'
         checkpoint.every = 1
         training = {{ updates = 20, threads = 2 }}"
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn words(line: &str, more: &[&Path]) -> Vec<String> {
    let more = more.iter().map(|path| path.to_string_lossy().into_owned());
    line.split(' ').map(String::from).chain(more).collect()
}
