//! Disks that are full or cannot be written.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binary::{Finished, finished, metrics, stpn};
use crate::run::{TRAIN, arguments, newest};

/// Runs a shell script in which `stpn` is the program and RUN the run's directory.
fn shell(script: &str, run: &Path) -> Finished {
    let script = script.replace("RUN", &run.display().to_string());
    let script = script.replace("stpn ", &format!("{} ", env!("CARGO_BIN_EXE_stpn")));
    finished(Command::new("sh").args(["-c", &script]))
}

fn succeed(line: &str, run: &Path) {
    let done = stpn(&arguments(line, run));
    assert!(done.status.success(), "{line}: {}", done.error);
}

/// A run of 4 updates, to be continued to 8, and what it should then be.
fn half_done(directory: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (whole, run) = (directory.join("whole"), directory.join("run"));
    succeed(&format!("{TRAIN} --updates 8"), &whole);
    succeed(&format!("{TRAIN} --updates 4"), &run);
    (whole, run)
}

fn assert_refused_and_intact(failed: &Finished, run: &Path, reason: &str) {
    assert_eq!(failed.status.code(), Some(1), "{}", failed.error);
    for said in [reason, "update-00000004, is intact", "stpn resume", &run.display().to_string()] {
        assert!(failed.error.contains(said), "no `{said}` in: {}", failed.error);
    }
    assert_eq!(newest(run), Some(4));
    succeed("eval RUN --episodes 1", run);
}

fn assert_continues_as(whole: &Path, run: &Path) {
    succeed("resume RUN --updates 8", run);
    assert_eq!(metrics(whole), metrics(run));
    let parameters = |run: &Path| fs::read(run.join("checkpoints/update-00000008/parameters.safetensors")).unwrap();
    assert!(parameters(whole) == parameters(run));
}

/// A limit on the size of files is met in mid-file, as the end of a disk is, and needs no privilege.
#[test]
fn a_file_that_cannot_grow_costs_the_new_checkpoint_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = half_done(directory.path());
    let largest = fs::read_dir(run.join("checkpoints/update-00000004")).unwrap();
    let largest = largest.map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap();
    // In blocks of 512 bytes: the largest file does not fit, the small ones do.
    let limit = (largest - 1) / 512;
    let failed = shell(&format!("trap '' XFSZ; ulimit -f {limit}; exec stpn resume RUN --updates 8"), &run);
    assert_refused_and_intact(&failed, &run, "File too large");
    assert_continues_as(&whole, &run);
}

/// A file system that is full in the middle of a checkpoint; where none can be mounted, a limit on the size of files
/// that the second file of a checkpoint meets.
#[test]
fn a_full_disk_costs_the_new_checkpoint_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = half_done(directory.path());
    let copy = directory.path().join("copy");
    let unshare = if is_root() { "unshare -m" } else { "unshare -rm" };
    let mount = "mount -t tmpfs -o size=1m tmpfs RUN";
    if shell(&format!("exec {unshare} sh -c '{mount}' 2>&1"), &run).status.success() {
        let script = format!(
            "cp -a RUN COPY && {mount} && cp -a COPY/. RUN && rm -r COPY || exit 99
            head -c 2m /dev/zero > RUN/filler; truncate -s -16K RUN/filler
            stpn resume RUN --updates 8; code=$?
            rm RUN/filler && cp -a RUN COPY && exit $code"
        );
        let script = script.replace("COPY", &copy.display().to_string());
        let failed = shell(&format!("exec {unshare} sh -c '{script}'"), &run);
        fs::remove_dir_all(&run).unwrap();
        fs::rename(&copy, &run).unwrap();
        assert_refused_and_intact(&failed, &run, "No space left on device");
    } else {
        let failed = shell("trap '' XFSZ; ulimit -f 1; exec stpn resume RUN --updates 8", &run);
        assert_refused_and_intact(&failed, &run, "File too large");
    }
    assert_continues_as(&whole, &run);
}

/// A log that cannot be written costs no training and, once the disk has room again, no entry.
#[test]
fn a_log_that_cannot_grow_stops_no_training() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = half_done(directory.path());
    let largest = fs::read_dir(run.join("checkpoints/update-00000004")).unwrap();
    let largest = largest.map(|entry| entry.unwrap().metadata().unwrap().len()).max().unwrap();
    // Room for every file of a checkpoint, not for the metrics of earlier updates and more.
    let line = fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().next().unwrap().len() as u64 + 1;
    let padding = (largest / line + 2) as usize;
    let long = "{\"update\":1}".to_string() + &" ".repeat(padding * line as usize) + "\n";
    let rest = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let rest: String = rest.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(run.join("metrics.jsonl"), long + &rest).unwrap();
    let limit = fs::metadata(run.join("metrics.jsonl")).unwrap().len() / 512;
    let done = shell(&format!("trap '' XFSZ; ulimit -f {limit}; exec stpn resume RUN --updates 8"), &run);
    assert!(done.status.success(), "{}", done.error);
    assert!(done.error.contains("metrics.jsonl") && done.error.contains("training goes on"), "{}", done.error);
    assert!(!done.error.contains('\u{1b}'), "colours in a file: {}", done.error);
    assert_eq!(newest(&run), Some(8));
    let parameters = |run: &Path| fs::read(run.join("checkpoints/update-00000008/parameters.safetensors")).unwrap();
    assert!(parameters(&whole) == parameters(&run));
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = half_done(directory.path());
    let checkpoints = run.join("checkpoints");
    let protect = |mode: &str| Command::new("chmod").args([mode]).arg(&checkpoints).status().unwrap();
    if !is_root() {
        protect("a-w");
        let failed = shell("exec stpn resume RUN --updates 8", &run);
        protect("u+w");
        assert_refused_and_intact(&failed, &run, "Permission denied");
    } else if Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        // The superuser ignores permissions, not a mount.
        let mount = "mount --bind RUN/checkpoints RUN/checkpoints && mount -o remount,ro,bind RUN/checkpoints";
        let script = format!("exec unshare -m sh -c '{mount} && exec stpn resume RUN --updates 8'");
        let failed = shell(&script, &run);
        assert_refused_and_intact(&failed, &run, "Read-only file system");
    } else {
        // In a container that may not mount, nothing can be made below here.
        let failed = stpn(&arguments(TRAIN, Path::new("/proc/run")));
        assert_eq!(failed.status.code(), Some(1), "{}", failed.error);
        assert!(failed.error.contains("cannot create /proc/run"), "{}", failed.error);
    }
    assert_continues_as(&whole, &run);
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0"
}
