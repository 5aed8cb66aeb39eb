//! Directories that are not what they are taken for.

use std::fs;
use std::path::Path;

use stpn_agents::checkpoint;
use stpn_agents::run::Run;

use crate::small;

/// What lies in a directory.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_checkpoint_that_was_resumed_began_again_and_was_a_checkpoint_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    small::train(&run);
    let place = run.join("checkpoints").join(checkpoint::directory_name(2));
    let before = names(&place);
    let resumed = Run::resume(&place, |_| {}).map(drop).unwrap_err().to_string();
    let started = Run::start(&small::config(), &place, "test").map(drop).unwrap_err().to_string();
    for error in [resumed, started] {
        let named = fs::canonicalize(&run).unwrap();
        assert!(error.contains("is a checkpoint") && error.contains(&*named.to_string_lossy()), "{error}");
    }
    assert_eq!(names(&place), before);
    assert_eq!(checkpoint::find(&place).unwrap().progress.update, 2);
}

#[test]
fn a_run_whose_checkpoints_had_gone_began_again_and_lost_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    small::train(&run);
    let log = fs::read(run.join("metrics.jsonl")).unwrap();
    fs::rename(run.join("checkpoints"), directory.path().join("elsewhere")).unwrap();
    for emptied in [false, true] {
        if emptied {
            fs::create_dir_all(run.join("checkpoints")).unwrap();
        }
        let error = Run::resume(&run, |_| {}).map(drop).unwrap_err().to_string();
        assert!(error.contains("update 3") && error.contains("checkpoints have gone"), "{error}");
        assert_eq!(fs::read(run.join("metrics.jsonl")).unwrap(), log);
    }
    fs::remove_dir(run.join("checkpoints")).unwrap();
    let error = checkpoint::find(&run).unwrap_err().to_string();
    assert!(error.contains("has no checkpoint yet"), "{error}");
    let error = checkpoint::find(directory.path()).unwrap_err().to_string();
    assert!(error.contains("neither a run nor a checkpoint"), "{error}");
    fs::rename(directory.path().join("elsewhere"), run.join("checkpoints")).unwrap();
    Run::resume(&run, |_| {}).unwrap();
}
