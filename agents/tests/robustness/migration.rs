//! Runs of an earlier checkpoint format go on.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;
use stpn_agents::checkpoint::{self, manifest::FileEntry};
use stpn_agents::run::Run;

use crate::small;

/// Makes a checkpoint what format 2 had.
fn age(checkpoint: &Path) {
    let path = checkpoint.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut progress: Value = serde_json::from_slice(&fs::read(checkpoint.join("progress.json")).unwrap()).unwrap();
    let recent = progress.as_object_mut().unwrap().remove("recent").unwrap_or_default();
    let means = recent.as_array().into_iter().flatten().filter(|ended| ended["episodes"] != 0);
    let means = means.map(|ended| ended["returns"].as_f64().unwrap() / ended["episodes"].as_f64().unwrap());
    progress["recent_returns"] = means.collect::<Vec<f64>>().into();
    let progress = serde_json::to_vec_pretty(&progress).unwrap();
    fs::write(checkpoint.join("progress.json"), &progress).unwrap();
    fs::remove_file(checkpoint.join("log.json")).unwrap();
    manifest["format"] = 2.into();
    let files = manifest["files"].as_array_mut().unwrap();
    files.retain(|file| file["name"] != "log.json");
    for file in files.iter_mut().filter(|file| file["name"] == "progress.json") {
        *file = serde_json::to_value(FileEntry::of("progress.json", &progress)).unwrap();
    }
    fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn a_run_of_format_2_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    let mut config = small::config();
    config.training_mut().updates = 4;
    let mut run = Run::start(&config, &path, "").unwrap();
    run.train(
        |training, _| {
            if training.progress().update == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )
    .unwrap();
    drop(run);
    let old = path.join("checkpoints/update-00000002");
    age(&old);
    let aged = checkpoint::read(&old).unwrap();
    assert_eq!(aged.progress.update, 2);
    let (mut run, damaged) = Run::resume(&path, |_| {}).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    run.train(|_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(checkpoint::newest(&path.join("checkpoints")).unwrap().0.progress.update, 4);
}
