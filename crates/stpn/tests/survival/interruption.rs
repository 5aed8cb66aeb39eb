//! Signals of every kind, singly and doubled, and nobody to read the output: a checkpoint of the last update is left.
//! `scripts/interruptions.py` does the same at length.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::{finished, metrics, stpn};
use crate::run::{arguments, newest};

/// A run of short updates without a checkpoint before its end.
const ENDLESS: &str = "train maze-small --hidden 3 --threads 1 --updates 1000000 --run-dir RUN --set env.size=5 --set \
                       rollout.environments=4 --set rollout.steps=5 --set checkpoint.every=1000000";

/// How long a run may take to end. Far more than it needs: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// `stpn` through a shell that runs `script` with it in the place of STPN.
fn shell(script: &str, line: &str, run: &Path) -> Command {
    let program = [env!("CARGO_BIN_EXE_stpn").to_string(), arguments(line, run).join(" ")].join(" ");
    let mut command = Command::new("sh");
    command.args(["-c", &script.replace("STPN", &program)]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn signal(kind: &str, whom: impl std::fmt::Display) {
    let sent = Command::new("kill").args(["-s", kind, "--", &whom.to_string()]).status().unwrap();
    assert!(sent.success(), "{kind}");
}

fn logged(run: &Path) -> u64 {
    fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.matches('\n').count() as u64)
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for_updates(run: &Path, more: u64) {
    let before = logged(run);
    wait_for("the run logs updates", || logged(run) >= before + more);
}

/// Waits for the end, and for what is left to be a checkpoint of the last update that was logged.
fn assert_saved(mut child: Child, run: &Path, how: &str) -> Option<i32> {
    let mut status = None;
    wait_for(how, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(newest(run), Some(logged(run)), "{how}: the checkpoint is not of the last update");
    status.and_then(|status| status.code())
}

#[test]
fn every_signal_that_asks_for_an_end_leaves_a_checkpoint() {
    for kind in ["INT", "TERM", "HUP", "USR1", "USR2", "XCPU"] {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        // The tests themselves may run under nohup: what is ignored there would stay ignored here.
        let child = shell("exec env --default-signal STPN", ENDLESS, &run).spawn().unwrap();
        wait_for_updates(&run, 2);
        signal(kind, child.id());
        assert_eq!(assert_saved(child, &run, kind), Some(130), "{kind}");
    }
}

#[test]
fn a_second_signal_within_moments_was_taken_for_impatience() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT"), ("HUP", "TERM")] {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        let child = shell("exec STPN", ENDLESS, &run).spawn().unwrap();
        wait_for_updates(&run, 2);
        signal(first, child.id());
        signal(second, child.id());
        assert_eq!(assert_saved(child, &run, "twice"), Some(130), "{first}, {second}");
    }
    // Signals the process and then its group.
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let child = shell("exec timeout 8 STPN", ENDLESS, &run).spawn().unwrap();
    assert_saved(child, &run, "timeout");
    assert!(logged(&run) > 0, "it never began");
}

#[test]
fn a_reader_that_went_away_cost_the_checkpoint() {
    for script in ["exec STPN >/dev/full 2>&1", "exec STPN >&- 2>&-", "STPN 2>&1 | head -n 1"] {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        let child = shell(script, ENDLESS, &run).spawn().unwrap();
        wait_for_updates(&run, 2);
        // Past the next line of progress.
        std::thread::sleep(Duration::from_secs(6));
        wait_for_updates(&run, 2);
        let lock = fs::read_to_string(run.join("run.lock")).unwrap();
        let owner: serde_json::Value = serde_json::from_str(&lock).unwrap();
        signal("TERM", &owner["pid"]);
        assert_saved(child, &run, script);
    }
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let short = ENDLESS.replace("1000000 --run", "3 --run");
    let done = shell("exec STPN >/dev/full 2>&1", &short, &run).status().unwrap();
    assert!(done.success(), "a run to its end: {done}");
    // A command whose output is its work fails if it cannot give it.
    let evaluated = finished(
        Command::new("sh")
            .args(["-c", "exec \"$0\" eval \"$1\" --episodes 1 >/dev/full"])
            .args([Path::new(env!("CARGO_BIN_EXE_stpn")), &run]),
    );
    assert_eq!(evaluated.status.code(), Some(1), "{}", evaluated.error);
    assert!(evaluated.error.contains("No space left") && !evaluated.error.contains("panicked"), "{}", evaluated.error);
}

#[cfg(target_os = "linux")]
/// A terminal of which nothing is shown, as after Ctrl-S.
fn halted_terminal() -> (rustix::fd::OwnedFd, fs::File) {
    use rustix::{pty, termios};
    use std::os::unix::ffi::OsStrExt;
    let controller = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&controller).unwrap();
    pty::unlockpt(&controller).unwrap();
    let name = pty::ptsname(&controller, Vec::new()).unwrap();
    let screen = fs::File::options().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.as_bytes())).unwrap();
    termios::tcflow(&screen, termios::Action::OOff).unwrap();
    (controller, screen)
}

#[test]
fn a_halted_terminal_held_up_training() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let (_controller, screen) = halted_terminal();
    let child = shell("exec STPN", ENDLESS, &run).env("TERM", "xterm").stderr(screen).spawn().unwrap();
    wait_for_updates(&run, 2);
    std::thread::sleep(Duration::from_secs(1));
    wait_for_updates(&run, 2);
    signal("TERM", child.id());
    assert_saved(child, &run, "Ctrl-S");
}

#[test]
fn nohup_was_undone() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let child = shell("exec nohup STPN", ENDLESS, &run).spawn().unwrap();
    wait_for_updates(&run, 2);
    signal("HUP", child.id());
    wait_for_updates(&run, 5);
    signal("TERM", child.id());
    assert_eq!(assert_saved(child, &run, "nohup"), Some(130));
}

#[test]
fn a_long_evaluation_ignored_the_wish_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let line = format!("{ENDLESS} --set evaluation.every=3 --set evaluation.episodes=10000000 --grace 0.2");
    let child = shell("exec STPN", &line, &run).spawn().unwrap();
    wait_for("the update before the evaluation", || logged(&run) == 2);
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    signal("TERM", child.id());
    assert_eq!(assert_saved(child, &run, "in an evaluation"), Some(130));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(newest(&run), Some(2));
}

/// An update that is given up is as if it had not begun: the run ends as an undisturbed one does.
#[test]
fn updates_that_are_given_up_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, run) = (directory.path().join("whole"), directory.path().join("run"));
    let settings = "--set env.size=9 --set rollout.environments=16 --set rollout.steps=100 --set \
                    evaluation.every=2 --set evaluation.episodes=16 --hidden 16 --updates 8";
    let line = format!("train maze-small {settings} --or-resume --grace 0 --run-dir RUN");
    for attempt in 0.. {
        let child = shell("exec STPN", &line, &run).spawn().unwrap();
        let mut child = child;
        // The first attempts are ended further and further into their work.
        std::thread::sleep(Duration::from_millis(100 + 40 * attempt));
        if attempt < 12 {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
        }
        if child.wait().unwrap().success() {
            break;
        }
        assert!(attempt < 12, "the last attempt failed");
    }
    let done = stpn(&arguments(&line, &whole));
    assert!(done.status.success(), "{}", done.error);
    assert_eq!(metrics(&whole), metrics(&run));
    let parameters = |run: &Path| fs::read(run.join("checkpoints/update-00000008/parameters.safetensors")).unwrap();
    assert!(parameters(&whole) == parameters(&run));
}

/// The directories of the runs of a comparison that have begun.
fn begun(comparison: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(comparison).map(|entries| entries.map(|entry| entry.unwrap().path()));
    entries.into_iter().flatten().filter(|path| path.join("config.toml").exists()).collect()
}

const COMPARE: &str = "compare maze-small --cells rnn,lstm --seeds 1 --jobs 2 --updates 1000000 --out RUN --set \
                       env.size=5 --set rollout.environments=4 --set rollout.steps=5 --set checkpoint.every=1000000";

#[test]
fn a_comparison_that_was_signalled_twice_lost_its_runs() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("comparison");
    let mut child = shell("exec STPN", COMPARE, &out).spawn().unwrap();
    wait_for("both runs", || begun(&out).len() == 2 && begun(&out).iter().all(|run| logged(run) > 1));
    signal("TERM", child.id());
    signal("INT", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    for run in begun(&out) {
        assert_eq!(newest(&run), Some(logged(&run)), "{}", run.display());
    }
}

/// `kill -9` of a comparison, or a node that loses it, leaves no trainings behind that hold their directories.
#[test]
fn runs_end_with_the_comparison_that_wanted_them() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("comparison");
    let mut child = shell("exec STPN", COMPARE, &out).spawn().unwrap();
    wait_for("both runs", || begun(&out).len() == 2 && begun(&out).iter().all(|run| logged(run) > 1));
    child.kill().unwrap();
    child.wait().unwrap();
    // An empty lock was given back.
    let free = |run: &Path| fs::metadata(run.join("run.lock")).is_ok_and(|lock| lock.len() == 0);
    wait_for("the runs end", || begun(&out).iter().all(|run| free(run)));
    for run in begun(&out) {
        assert_eq!(newest(&run), Some(logged(&run)), "{}", run.display());
    }
}
