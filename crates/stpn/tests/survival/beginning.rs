//! Folders in which runs begin: others' files in them, names that are no text, several starts at once.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::binary::{finished, metrics, stpn};
use crate::run::{TRAIN, arguments, newest};

#[test]
fn a_run_killed_in_its_first_second_could_neither_be_resumed_nor_begun() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path();
    // What a killed process leaves before its configuration is written, and a log that the shell redirected there.
    fs::write(run.join("run.lock"), "{\"pid\":4000000000,\"host\":\"node7\"}").unwrap();
    fs::write(run.join(".config.toml.partial"), "seed = ").unwrap();
    fs::write(run.join("slurm-17.out"), "precious").unwrap();
    let resumed = stpn(&arguments("resume RUN", run));
    assert_eq!(resumed.status.code(), Some(3), "{}", resumed.error);
    assert!(resumed.error.contains("holds no run") && resumed.error.contains("stpn train"), "{}", resumed.error);
    let trained = stpn(&arguments(&format!("{TRAIN} --updates 2"), run));
    assert!(trained.status.success(), "{}", trained.error);
    assert_eq!(fs::read_to_string(run.join("slurm-17.out")).unwrap(), "precious");
    let refused = stpn(&arguments(TRAIN, run));
    assert_eq!(refused.status.code(), Some(3), "{}", refused.error);
    assert!(refused.error.contains("holds a run already"), "{}", refused.error);
}

#[test]
fn or_resume_starts_goes_on_and_refuses_other_settings() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = (directory.path().join("whole"), directory.path().join("run"));
    for updates in [2, 5, 5] {
        let done = stpn(&arguments(&format!("{TRAIN} --or-resume --updates {updates} --threads 2"), &run));
        assert!(done.status.success(), "{}", done.error);
        assert_eq!(newest(&run), Some(updates));
    }
    let done = stpn(&arguments(&format!("{TRAIN} --updates 5"), &whole));
    assert!(done.status.success(), "{}", done.error);
    assert_eq!(metrics(&whole), metrics(&run));
    let other = stpn(&arguments(&format!("{TRAIN} --or-resume --updates 9 --set optimizer.learning_rate=0.5"), &run));
    assert_eq!(other.status.code(), Some(3), "{}", other.error);
    assert!(other.error.contains("optimizer.learning_rate") && !other.error.contains("hidden"), "{}", other.error);
    let nowhere = stpn(&arguments("train maze-small --or-resume", &run));
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(nowhere.error.contains("--run-dir"), "{}", nowhere.error);
}

#[test]
fn four_starts_of_one_preset_were_refused_in_a_race() {
    let directory = tempfile::tempdir().unwrap();
    let line = TRAIN.replace(" --run-dir RUN", "") + " --updates 1";
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        command.args(line.split_whitespace()).current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let starts: Vec<_> = (0..4).map(|_| start()).collect();
    for start in starts {
        let done = start.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let runs = fs::read_dir(directory.path().join("runs")).unwrap();
    let runs: Vec<_> = runs.map(|run| newest(&run.unwrap().path())).collect();
    assert_eq!(runs, [Some(1); 4]);
    // One that cannot begin leaves no folder.
    for impossible in [["--set", "log.energy_skip_inputs=[99]"], ["--threads", "100000"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        command.args(line.split_whitespace()).args(impossible).args(["--seed", "9"]);
        let refused = command.current_dir(directory.path()).stderr(Stdio::null()).status();
        assert_eq!(refused.unwrap().code(), Some(2));
    }
    assert_eq!(fs::read_dir(directory.path().join("runs")).unwrap().count(), 4);
}

#[test]
fn a_path_that_is_not_utf_8_panicked() {
    let directory = tempfile::tempdir().unwrap();
    let parent = directory.path().join(OsStr::from_bytes(b"caf\xe9"));
    if fs::create_dir(&parent).is_err() {
        println!("skipped: this file system takes text alone");
        return;
    }
    let (run, out) = (parent.join("run"), parent.join("comparison"));
    let compare = "compare art --cells rnn --seeds 1 --updates 1 --set task.training_sequences=200 --set \
                   task.validation_sequences=50 --set task.test_sequences=50 --out PATH";
    let train = TRAIN.replace("RUN", "PATH") + " --updates 2";
    for (line, path) in [
        (train.as_str(), &run),
        ("resume PATH --updates 3", &run),
        ("eval PATH --episodes 1", &run),
        ("play PATH --gif PATH.gif", &run),
        ("report PATH --out PATH.html --plots PATH-plots", &run),
        ("export PATH PATH-exported", &run),
        (compare, &out),
    ] {
        let words = line.split_whitespace().map(|word| match word.strip_prefix("PATH") {
            Some(rest) => OsStr::from_bytes(&[path.as_os_str().as_bytes(), rest.as_bytes()].concat()).to_os_string(),
            None => word.into(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        let done = command.args(words).current_dir(directory.path()).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(newest(&run), Some(3));
    let preset = Command::new(env!("CARGO_BIN_EXE_stpn")).arg("train").arg(run.join("config.toml")).output().unwrap();
    assert_eq!(preset.status.code(), Some(2), "{}", String::from_utf8_lossy(&preset.stderr));
}

/// `script` makes the terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_dumb_terminal_showed_no_progress_and_a_file_was_coloured() {
    let directory = tempfile::tempdir().unwrap();
    let on_terminal = |name: &str, variables: &str| {
        let run = directory.path().join(name);
        let line = arguments(&format!("{TRAIN} --updates 3"), &run).join(" ");
        let line = format!("{variables} {} {line}", env!("CARGO_BIN_EXE_stpn"));
        finished(Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null())).output
    };
    let dumb = on_terminal("dumb", "TERM=dumb");
    assert!(dumb.contains("update 3/3") && !dumb.contains('\u{1b}'), "{dumb}");
    let able = on_terminal("able", "TERM=xterm");
    assert!(able.contains("3/3,") && able.contains('\u{1b}'), "{able}");
}
