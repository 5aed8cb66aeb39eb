//! The fuzzer's corpus, as an ordinary test: every input it found worth keeping, and each cut at every length.

use std::fs;
use std::path::Path;

use stpn_agents::hostile;

fn corpus(target: &str, read: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        read(&input);
        for length in 0..input.len().min(512) {
            read(&input[..length]);
        }
        inputs += 1;
    }
    assert!(inputs >= 3, "{} holds {inputs} inputs", folder.display());
}

#[test]
fn manifests() {
    corpus("manifest", hostile::manifest);
}

#[test]
fn configurations() {
    corpus("config", hostile::config);
}

#[test]
fn tensors() {
    corpus("tensors", hostile::tensors);
}

#[test]
fn logs() {
    corpus("logs", hostile::logs);
}
