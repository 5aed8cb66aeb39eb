//! A run continued from its checkpoint equals the run that was never interrupted, bit for bit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::path::Path;

use binary::{small, stpn};

/// Metrics without those that depend on the clock.
fn metrics(run: &Path) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let clock = ["seconds", "per_second", "time"];
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| {
            let mut object: serde_json::Map<_, _> = serde_json::from_str(line).unwrap();
            object.retain(|key, _| !clock.iter().any(|word| key.contains(word)));
            object
        })
        .collect()
}

fn train(line: &str, run: &Path) {
    let trained = stpn(&small(line, run));
    assert!(trained.status.success(), "{line}: {}", trained.error);
}

fn resume(run: &Path, updates: u64, threads: u64) {
    let arguments = format!("--updates {updates} --threads {threads}");
    let mut arguments: Vec<String> = arguments.split(' ').map(String::from).collect();
    arguments.splice(0..0, ["resume".to_string(), run.display().to_string()]);
    let resumed = stpn(&arguments);
    assert!(resumed.status.success(), "{}", resumed.error);
}

fn file(run: &Path, update: u64, name: &str) -> Vec<u8> {
    std::fs::read(run.join(format!("checkpoints/update-{update:08}")).join(name)).unwrap()
}

fn assert_equal(whole: &Path, parts: &Path, updates: u64) {
    assert_eq!(metrics(whole).len() as u64, updates);
    assert_eq!(metrics(whole), metrics(parts));
    for name in ["parameters.safetensors", "optimizer.safetensors", "workers-00000.safetensors", "progress.json"] {
        assert!(file(whole, updates, name) == file(parts, updates, name), "{name} differs");
    }
}

#[test]
fn interrupted_runs_continue_bit_for_bit_on_any_number_of_threads() {
    for cell in ["stpn", "lstm", "stpnf", "backpropamine"] {
        let directory = tempfile::tempdir().unwrap();
        let (whole, parts) = (directory.path().join("whole"), directory.path().join("parts"));
        // Fragments of 30 steps of episodes of 100: the recurrent state must survive too.
        let settings = format!("--cell {cell} --seed 5 --set rollout.steps=30 --set checkpoint.every=4");
        train(&format!("train maze-small --updates 10 --threads 1 {settings}"), &whole);
        train(&format!("train maze-small --updates 3 --threads 2 {settings}"), &parts);
        resume(&parts, 7, 1);
        resume(&parts, 10, 2);
        assert_equal(&whole, &parts, 10);
    }
}

#[test]
fn interrupted_supervised_runs_continue_bit_for_bit_on_any_number_of_threads() {
    let art = "train art --set task.training_sequences=1000 --set task.validation_sequences=100";
    let familiarity = "train familiarity --set task.steps=200";
    for line in [art, familiarity] {
        let directory = tempfile::tempdir().unwrap();
        let (whole, parts) = (directory.path().join("whole"), directory.path().join("parts"));
        let train = |settings: &str, run: &Path| {
            let arguments = format!("{line} {settings} --seed 5 --set checkpoint.every=4 --run-dir {}", run.display());
            let trained = stpn(&arguments.split(' ').map(String::from).collect::<Vec<_>>());
            assert!(trained.status.success(), "{line}: {}", trained.error);
        };
        train("--updates 10 --threads 1", &whole);
        train("--updates 3 --threads 2", &parts);
        resume(&parts, 7, 1);
        resume(&parts, 10, 2);
        assert_equal(&whole, &parts, 10);
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_by_resume_and_refused_by_eval() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, parts) = (directory.path().join("whole"), directory.path().join("parts"));
    let settings = "--set checkpoint.every=2";
    train(&format!("train maze-small --updates 8 {settings}"), &whole);
    train(&format!("train maze-small --updates 6 {settings}"), &parts);
    let damaged = parts.join("checkpoints/update-00000006/optimizer.safetensors");
    let mut contents = std::fs::read(&damaged).unwrap();
    let middle = contents.len() / 2;
    contents[middle] ^= 1;
    std::fs::write(&damaged, contents).unwrap();

    let refused = stpn(&["eval".to_string(), parts.display().to_string()]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(refused.error.contains("optimizer.safetensors") && refused.error.contains("checksum"), "{}", refused.error);

    resume(&parts, 8, 0);
    assert_equal(&whole, &parts, 8);
}
